// A team of Cloudflare Access on this machine: it signs tokens, publishes its keys, and counts who asks for them.
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { createServer } from "node:http";

export const AUDIENCE = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";
const KEYS_PATH = "/cdn-cgi/access/certs";

const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** A key pair as Access has them. */
export function keyPair(id) {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { id, publicKey, privateKey, published: { kid: id, kty: "RSA", alg: "RS256", use: "sig", ...publicKey.export({ format: "jwk" }) } };
}

/** Signs any header and any claims, as RS256 or as `by` has it. */
export function forge(header, claims, by) {
  const content = `${encode(header)}.${encode(claims)}`;
  return `${content}.${Buffer.from(by(content)).toString("base64url")}`;
}

export const rs256 = ({ privateKey }) => (content) => sign("sha256", Buffer.from(content), privateKey);
export const hs256 = (secret) => (content) => createHmac("sha256", secret).update(content).digest();

/** Starts a team. `answer(response)` takes the place of its keys. */
export async function startTeam({ answer } = {}) {
  const team = { keys: [keyPair("key-1")], asked: 0, answer };
  const server = createServer((request, response) => {
    if (request.url !== KEYS_PATH) return void response.writeHead(404).end();
    team.asked += 1;
    if (team.answer) return void team.answer(response);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ keys: team.keys.map(({ published }) => published), public_cert: {}, public_certs: [] }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  team.domain = `http://127.0.0.1:${server.address().port}`;
  team.stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  const seconds = () => Math.floor(Date.now() / 1000);
  team.header = (changes = {}) => ({ alg: "RS256", kid: team.keys[0].id, typ: "JWT", ...changes });
  team.claims = (changes = {}) => ({
    aud: [AUDIENCE], email: "alice@example.com", exp: seconds() + 600, iat: seconds(), nbf: seconds(), iss: team.domain, type: "app",
    identity_nonce: "6ei69kawdKzMIAPF", sub: "7335d417-61da-459d-899c-0a01c76a2f94", country: "NZ", ...changes,
  });
  /** The token of a login. */
  team.login = (changes = {}, key = team.keys[0]) => forge(team.header({ kid: key.id }), team.claims(changes), rs256(key));
  return team;
}
