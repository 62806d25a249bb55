"""Losses against values worked out by hand."""

import math

import torch
import torch.nn.functional as F

from unpool.faces.loss import agreement, margin_loss, picture_loss, quality_loss, relation_loss


def test_agreement_is_the_cosine():
    taught, teacher = torch.tensor([[3.0, 4.0], [0.0, 2.0]]), torch.tensor([[1.0, 0.0], [0.0, -1.0]])
    torch.testing.assert_close(agreement(taught, teacher), torch.tensor([0.6, -1.0]))


def test_relations_agree_with_a_rotated_teacher():
    teacher = F.normalize(torch.randn(6, 5))
    turn, _ = torch.linalg.qr(torch.randn(5, 5))
    assert float(relation_loss(teacher @ turn, teacher)) < 1e-10
    assert float(relation_loss(F.normalize(torch.randn(6, 5)), teacher)) > 0.01


def test_margin_loss_by_hand():
    embedding = F.normalize(torch.tensor([[1.0, 1.0], [1.0, 0.0]]))
    centres = torch.tensor([[2.0, 0.0], [0.0, 0.5]])
    margin = torch.tensor([0.2, 0.0])
    # First face: 45 degrees from both centres; with the margin its own is 45 degrees + 0.2.
    own, other = 8 * math.cos(math.pi / 4 + 0.2), 8 * math.cos(math.pi / 4)
    first = -own + math.log(math.exp(own) + math.exp(other))
    second = -8 + math.log(math.exp(8) + 1)
    found = margin_loss(embedding, centres, torch.tensor([0, 0]), margin, scale=8.0)
    torch.testing.assert_close(found, torch.tensor((first + second) / 2), atol=1e-4, rtol=0)


def test_faces_without_a_name_count_nothing():
    embedding = F.normalize(torch.randn(3, 4)).requires_grad_()
    nothing = margin_loss(embedding, torch.randn(2, 4), torch.full((3,), -1), torch.zeros(3))
    assert float(nothing) == 0
    nothing.backward()
    one = margin_loss(embedding[:1], torch.eye(2, 4), torch.tensor([1]), torch.zeros(1))
    with_stranger = margin_loss(embedding[:2], torch.eye(2, 4), torch.tensor([1, -1]), torch.zeros(2))
    torch.testing.assert_close(one, with_stranger)


def test_margin_loss_is_finite_at_the_poles():
    embedding = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    margin_loss(embedding, torch.eye(2), torch.tensor([0, 0]), torch.full((2,), 0.5)).backward()
    assert embedding.grad is not None
    assert torch.isfinite(embedding.grad).all()


def test_quality_is_least_at_the_worth():
    worth = torch.tensor([0.7])
    at = [float(quality_loss(torch.logit(torch.tensor([value])), worth)) for value in (0.6, 0.7, 0.8)]
    assert at[1] == min(at)


def test_picture_loss_is_nearly_absolute():
    assert abs(float(picture_loss(torch.full((1, 3, 4, 4), 0.5), torch.zeros(1, 3, 4, 4))) - 0.5) < 1e-5
