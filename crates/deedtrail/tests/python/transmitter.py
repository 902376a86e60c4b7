"""A transmitter of shared signals: signs with PyJWT, publishes its keys, answers polls (RFC 8936).

Arguments: port (0 for any), and optionally `tls` or `expired` for a certificate of its own.
Prints its address, then what it is told; commands come on standard input, one JSON text a line:

  {"sign": PAYLOAD, "alg": "RS256", "header": {…}}   prints the token
  {"forge": PAYLOAD, "header": {…}, "how": "none" | "hmac"}   prints a token nobody signed
  {"offer": {JTI: TOKEN, …}}   hands them out to whoever polls, until they are acknowledged
  {"deaf": true}   from now on hangs up on acknowledgements instead of hearing them
"""

import base64
import datetime
import hashlib
import hmac
import http.server
import ipaddress
import json
import ssl
import sys
import tempfile
import threading

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

TOKEN = "poll-token-of-this-test"
KEYS = {
    "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ec": ec.generate_private_key(ec.SECP256R1()),
    "ed": ed25519.Ed25519PrivateKey.generate(),
}
KINDS = {"rsa": RSAAlgorithm, "ec": ECAlgorithm, "ed": OKPAlgorithm}
KID = {"RS256": "rsa", "PS256": "rsa", "ES256": "ec", "EdDSA": "ed"}

changed = threading.Condition()
offered = {}
state = {"deaf": False, "address": ""}


def say(**what):
    print(json.dumps(what), flush=True)


def key_set():
    keys = []
    for kid, key in KEYS.items():
        public = json.loads(KINDS[kid].to_jwk(key.public_key()))
        keys.append({**public, "kid": kid, "use": "sig"})
    return {"keys": keys}


def encoded(value):
    if not isinstance(value, bytes):
        value = json.dumps(value).encode()
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def forged(payload, header, how):
    message = f"{encoded(header)}.{encoded(payload)}"
    signature = b"none"
    if how == "hmac":
        # The public key as the secret: what a careless receiver would check with.
        public = KEYS["rsa"].public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        signature = hmac.new(public, message.encode(), hashlib.sha256).digest()
    return f"{message}.{encoded(signature)}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, headers=()):
        body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        say(asked=self.path)
        issuer = state["address"] + "/tenant"
        if self.path == "/.well-known/ssf-configuration/tenant":
            self.answer(
                {
                    "spec_version": "1_0",
                    "issuer": issuer,
                    "jwks_uri": state["address"] + "/jwks.json",
                    "delivery_methods_supported": ["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"],
                    "configuration_endpoint": issuer + "/ssf/stream",
                    "status_endpoint": issuer + "/ssf/status",
                    "verification_endpoint": issuer + "/ssf/verify",
                    "critical_subject_members": ["tenant", "user"],
                    "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6749"}],
                    "default_subjects": "NONE",
                }
            )
        elif self.path == "/.well-known/ssf-configuration/liar":
            self.answer({"issuer": issuer, "jwks_uri": state["address"] + "/jwks.json"})
        elif self.path == "/jwks.json":
            self.answer(key_set())
        elif self.path == "/huge.json":
            self.answer({**key_set(), "more": "x" * (1 << 20)})
        elif self.path == "/moved.json":
            self.answer({}, 302, [("Location", "/jwks.json")])
        else:
            self.answer({}, 404)

    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.answer({}, 401)
            return
        told = bool(question.get("ack") or question.get("setErrs"))
        if told and state["deaf"]:
            say(unheard=sorted(question.get("ack", [])))
            self.close_connection = True
            return
        with changed:
            for jti in question.get("ack", []):
                offered.pop(jti, None)
                say(acknowledged=jti)
            for jti, error in question.get("setErrs", {}).items():
                offered.pop(jti, None)
                say(refused=jti, err=error["err"], description=error["description"])
            most = question.get("maxEvents", 1000)
            if not question.get("returnImmediately", False) and most:
                changed.wait_for(lambda: offered, timeout=2)
            sets = dict(list(offered.items())[:most])
            more = len(offered) > len(sets)
        self.answer({"sets": sets, **({"moreAvailable": True} if more else {})})


def certificate(days):
    """A certificate for 127.0.0.1 that is its own authority; prints where it is."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = tempfile.NamedTemporaryFile(suffix=".pem", delete=False)
    file.write(private + built.public_bytes(serialization.Encoding.PEM))
    file.close()
    return file.name


def commands():
    for line in sys.stdin:
        command = json.loads(line)
        if "sign" in command:
            kid = KID[command["alg"]]
            header = {"typ": "secevent+jwt", "kid": kid, **command.get("header", {})}
            say(token=jwt.encode(command["sign"], KEYS[kid], command["alg"], headers=header))
        elif "forge" in command:
            say(token=forged(command["forge"], command["header"], command["how"]))
        elif "offer" in command:
            with changed:
                offered.update(command["offer"])
                changed.notify_all()
        elif "deaf" in command:
            state["deaf"] = command["deaf"]


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.daemon_threads = True
scheme, file = "http", ""
if len(sys.argv) > 2:
    scheme, file = "https", certificate(-1 if sys.argv[2] == "expired" else 9)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
state["address"] = f"{scheme}://127.0.0.1:{server.server_port}"
say(address=state["address"], certificate=file)
threading.Thread(target=server.serve_forever, daemon=True).start()
commands()
