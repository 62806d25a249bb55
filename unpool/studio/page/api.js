// The service's API, and nothing else. The token is behind the # of the address that `unpool studio` printed.

const KEPT = "unpool-token";
if (location.hash.length > 1) {
  sessionStorage.setItem(KEPT, location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
}
const headers = () => ({ Authorization: `Bearer ${sessionStorage.getItem(KEPT) ?? ""}` });

const address = (path, query) => {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return path + (given.length ? `?${new URLSearchParams(given)}` : "");
};

// The response, or an error whose message says what to do.
export async function call(method, path, { query, body, signal } = {}) {
  for (let tries = 0; ; tries++) {
    let response;
    try {
      response = await fetch(address(path, query), { method, body, signal, headers: headers() });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("The studio does not answer. Is `unpool studio` still running?");
    }
    if (response.ok) return response;
    if (response.status === 429 && tries < 5) {
      await new Promise((done) => setTimeout(done, 1000 * Number(response.headers.get("Retry-After") ?? 1)));
      continue;
    }
    const said = (await response.json().catch(() => ({}))).error ?? `the service answered ${response.status}`;
    const error = new Error(
      response.status === 401
        ? "This page has no token, or an old one: open the address that `unpool studio` printed."
        : said[0].toUpperCase() + said.slice(1),
    );
    error.status = response.status;
    throw error;
  }
}

export const get = (path, query) => call("GET", path, { query }).then((response) => response.json());
export const post = (path, body, query) => call("POST", path, { body, query }).then((response) => response.json());

// What the service offers: the paths of its description.
export const offered = async () => Object.keys((await get("/v1/openapi.json")).paths);
