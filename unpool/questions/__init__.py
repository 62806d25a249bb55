"""The worries that one has before training such networks, as small experiments: `unpool bench questions`."""
