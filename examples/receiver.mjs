// A receiver that verifies, in Node: node receiver.mjs [PORT], then
//
//     echo whsec_aG9va2JveC1leGFtcGxlLXJlY2VpdmVyLXNlY3JldA== |
//         hookbox endpoint add me http://127.0.0.1:9000/ --sign standard --secret -
//
// It answers 204 to a request whose signature and time are right, 401 to any other, as Standard
// Webhooks has it (https://www.standardwebhooks.com), and drops a webhook-id that it has seen:
// delivery is at least once.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const SECRET = "whsec_aG9va2JveC1leGFtcGxlLXJlY2VpdmVyLXNlY3JldA==";
const TOLERANCE_SECONDS = 300;

const seen = new Set();

const isEqual = (a, b) => a.length === b.length && timingSafeEqual(a, b);

// Whether the sender knows the secret and the request is not an old one sent again.
const isGenuine = (headers, body) => {
  const event = headers["webhook-id"] ?? "";
  const sent = Number(headers["webhook-timestamp"]);
  if (!Number.isInteger(sent) || Math.abs(Date.now() / 1000 - sent) > TOLERANCE_SECONDS) {
    return false;
  }
  const key = Buffer.from(SECRET.slice("whsec_".length), "base64");
  const right = createHmac("sha256", key).update(`${event}.${sent}.`).update(body).digest("base64");
  // There are several while a secret is being replaced.
  const given = (headers["webhook-signature"] ?? "").split(" ");
  return given.some((one) => isEqual(Buffer.from(one), Buffer.from(`v1,${right}`)));
};

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const body = Buffer.concat(parts);
    const event = request.headers["webhook-id"] ?? "no id";
    let [status, what] = [401, "refused"];
    if (isGenuine(request.headers, body)) {
      [status, what] = [204, seen.has(event) ? "seen before" : "genuine"];
      seen.add(event);
    }
    console.log(`${event}: ${body.length} bytes, ${what}`);
    response.writeHead(status).end();
  });
});
server.listen(Number(process.argv[2] ?? 9000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/`);
});
