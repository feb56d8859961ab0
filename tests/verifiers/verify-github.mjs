// Reads what a receiver got, as JSON, and verifies it with GitHub's own library.
import { readFileSync } from "node:fs";
import { verify } from "@octokit/webhooks-methods";

const arrived = JSON.parse(readFileSync(0, "utf8"));
const signature = arrived.headers["x-hub-signature-256"];
const good = await verify(arrived.secret, arrived.body, signature);
const changed = await verify(arrived.secret, `${arrived.body} `, signature);
if (!good || changed) {
  console.error(good ? "a changed body was accepted" : "the signature was not accepted");
  process.exit(1);
}
