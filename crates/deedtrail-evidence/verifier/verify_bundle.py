#!/usr/bin/env python3
"""Checks an evidence bundle of Deedtrail: python3 verify_bundle.py FILE

Needs Python 3.8 or newer, its standard library and the file: no network, no server, no
configuration. Written from docs/reference/evidence-format.md; it shares no code with
`deedtrail evidence verify`, so that each checks the other. Ed25519 is RFC 8032, section 5.1.7.

Ends with 0 when everything holds, 1 when something does not, 2 when there is nothing to check or it is
asked wrongly. Of time stamps (RFC 3161) it checks what they stamp, not who signed them: `openssl ts
-verify` does.
"""

import argparse
import base64
import hashlib
import json
import re
import struct
import sys
import unicodedata
import zlib
from datetime import datetime, timedelta, timezone

BUNDLE_BYTES_MAX = 2 << 30
FILES_MAX = 65_000
NOTE_BYTES_MAX = 64 << 10
SIGNATURES_MAX = 64
PATH_MAX = 64

CLASSES = ("plain", "personal", "url", "secret", "tool arguments")
WITHHELD_CLASSES = ("secret", "tool arguments")
AUDIT = 6


class Refused(Exception):
    """Something in the bundle does not hold."""


def need(holds, reason):
    if not holds:
        raise Refused(reason)


# Ed25519 (RFC 8032): the curve -x^2 + y^2 = 1 + d x^2 y^2 over the integers modulo P.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def point_add(a, b):
    """Sum of two points (X, Y, Z, T) with x = X/Z, y = Y/Z, x y = T/Z."""
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


NEUTRAL = (0, 1, 1, 0)


def point_times(scalar, point):
    total = NEUTRAL
    while scalar > 0:
        if scalar & 1:
            total = point_add(total, point)
        point = point_add(point, point)
        scalar >>= 1
    return total


def point_equal(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def point_decode(encoded):
    """The point of 32 bytes, or None when they are none (section 5.1.3)."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P != 0:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - square) % P != 0 or (x == 0 and sign == 1):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = point_decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signature_holds(key, message, signature):
    """Whether 64 bytes sign `message`; points of small order are refused, as is S >= ORDER."""
    if len(key) != 32 or len(signature) != 64:
        return False
    public, commitment = point_decode(key), point_decode(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if public is None or commitment is None or scalar >= ORDER:
        return False
    if any(point_equal(point_times(8, one), NEUTRAL) for one in (public, commitment)):
        return False
    hashed = hashlib.sha512(signature[:32] + key + message).digest()
    challenge = int.from_bytes(hashed, "little") % ORDER
    right = point_add(commitment, point_times(challenge, public))
    return point_equal(point_times(scalar, BASE), right)


# Text forms.


def decode_base64(text, what):
    try:
        decoded = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise Refused(f"{what} is not base64") from None
    # One form only: padded, and the bits beyond the data are zero.
    need(base64.b64encode(decoded).decode("ascii") == text, f"{what} is not base64")
    return decoded


def decode_hash(text, what):
    need(isinstance(text, str) and len(text) == 64, f"{what} is not a hash in hex")
    need(all(c in "0123456789abcdef" for c in text), f"{what} is not lower-case hex")
    return bytes.fromhex(text)


def decode_number(text, what):
    need(text.isascii() and text.isdigit() and len(text) <= 20, f"{what} is not a number")
    need(text == "0" or not text.startswith("0"), f"{what} begins with a zero")
    need(int(text) < 1 << 64, f"{what} is too large")
    return int(text)


def sha256(data):
    return hashlib.sha256(data).digest()


def to_text(data, name):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{name} is not UTF-8") from None


# C2SP signed notes, keys, checkpoints, cosignatures.

LOG_KEY, WITNESS_KEY = 0x01, 0x04


def is_key_name(name):
    plain = all(not c.isspace() and unicodedata.category(c) != "Cc" and c != "+" for c in name)
    return 0 < len(name.encode("utf-8")) <= 255 and plain


class VerifierKey:
    """A public key with its name: `name+hash+key`."""

    def __init__(self, text, kind):
        pieces = text.split("+", 2)
        need(len(pieces) == 3 and is_key_name(pieces[0]), f"not a verifier key: {text}")
        typed = decode_base64(pieces[2], f"the key {pieces[0]}")
        what = "a log" if kind == LOG_KEY else "a witness"
        need(len(typed) == 33 and typed[0] == kind, f"not the Ed25519 key of {what}: {text}")
        self.text, self.name, self.key = text, pieces[0], typed[1:]
        self.id = sha256(self.name.encode("utf-8") + b"\n" + typed)[:4]
        need(self.id.hex() == pieces[1], f"the hash does not belong to the key {self.name}")
        need(point_decode(self.key) is not None, f"the key {self.name} is not a point")

    def signatures(self, note):
        """What this key signed, as the note says."""
        return [s for name, id_, s in note.signatures if (name, id_) == (self.name, self.id)]

    def check_note(self, note, what):
        signatures = self.signatures(note)
        need(signatures, f"{what}: no signature by {self.name}")
        for signature in signatures:
            holds = signature_holds(self.key, note.text.encode("utf-8"), signature)
            need(holds, f"{what}: the signature by {self.name} is wrong")

    def cosigned(self, note):
        """Newest time (s since 1970) at which this witness cosigned; None when it did not."""
        newest = None
        for signature in self.signatures(note):
            need(len(signature) == 72, f"the cosignature by {self.name} is malformed")
            time = int.from_bytes(signature[:8], "big")
            need(0 < time < 1 << 63, f"the cosignature by {self.name} has no time")
            message = f"cosignature/v1\ntime {time}\n{note.text}".encode("utf-8")
            holds = signature_holds(self.key, message, signature[8:])
            need(holds, f"the cosignature by {self.name} is wrong")
            newest = max(newest or 0, time)
        return newest


class Note:
    """A signed note taken apart; nothing in it is checked yet."""

    def __init__(self, text, what):
        need(len(text.encode("utf-8")) <= NOTE_BYTES_MAX, f"{what} is longer than 64 KiB")
        need(all(c >= " " or c == "\n" for c in text), f"{what} has a control character")
        blank = text.rfind("\n\n")
        need(blank >= 0 and text.endswith("\n"), f"{what} is not a signed note")
        self.text = text[: blank + 1]
        lines = text[blank + 2 :].split("\n")[:-1]
        need(0 < len(lines) <= SIGNATURES_MAX, f"{what} has no or too many signatures")
        self.signatures = [self.signature(line, what) for line in lines]

    @staticmethod
    def signature(line, what):
        need(line.startswith("\u2014 "), f"{what} has a bad signature line")
        name, space, encoded = line[2:].partition(" ")
        need(space and is_key_name(name), f"{what} has a bad signature line")
        data = decode_base64(encoded, f"{what}: a signature")
        need(len(data) > 4, f"{what} has a bad signature line")
        return name, data[:4], data[4:]


class Checkpoint:
    """Size and root of the outer log, signed by its key."""

    def __init__(self, text, key):
        note = Note(text, "checkpoint")
        key.check_note(note, "checkpoint")
        lines = note.text[:-1].split("\n")
        need(len(lines) == 3 and lines[0], "the checkpoint does not have three lines")
        self.note, self.origin = note, lines[0]
        self.size = decode_number(lines[1], "the size of the checkpoint")
        self.root = decode_base64(lines[2], "the root of the checkpoint")
        need(len(self.root) == 32, "the root of the checkpoint does not have 32 bytes")
        need(self.origin == key.name, "the checkpoint is of another log than its key")


# Merkle trees (RFC 6962, checked as in RFC 9162, section 2.1.3.2).


def leaf_hash(data):
    return sha256(b"\x00" + data)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


def root_of_path(leaf, index, size, path):
    """The root that the path leads to; None when its length does not fit."""
    if index >= size:
        return None
    node, last, hash_ = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            hash_ = node_hash(sibling, hash_)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            hash_ = node_hash(hash_, sibling)
        node, last = node >> 1, last >> 1
    return hash_ if last == 0 else None


# The zip file.

LOCAL = struct.Struct("<4s10sIIIHH")
COMMON = bytes([20, 0, 0, 8, 0, 0, 0, 0, 0x21, 0])


def read_archive(data):
    """Files by name; the zip is written again from them and must be the same."""
    files, at, names = {}, 0, []
    while data[at : at + 4] == b"PK\x03\x04":
        need(len(data) - at >= LOCAL.size, "it ends early")
        _, _, check_sum, size, _, name_bytes, _ = LOCAL.unpack_from(data, at)
        start = at + LOCAL.size + name_bytes
        need(start + size <= len(data), "it ends early")
        name = data[at + LOCAL.size : start]
        need(not names or names[-1] < name, "its structure was changed")
        names.append(name)
        need(len(names) <= FILES_MAX, "it has too many files")
        content, named = data[start : start + size], to_text(name, "the name of a file")
        need(zlib.crc32(content) == check_sum, f"its file {ascii(named[:120])} is not as it was packed, by its check sum")
        files[named] = content
        at = start + size
    need(names, "it is not a bundle")
    need(write_archive(names, files) == data, "its structure was changed")
    return files


def write_archive(names, files):
    local, central = bytearray(), bytearray()
    for name in names:
        content = files[name.decode("utf-8")]
        numbers = struct.pack("<IIIHH", zlib.crc32(content), len(content), len(content), len(name), 0)
        central += b"PK\x01\x02" + bytes([20, 3]) + COMMON + numbers
        central += bytes(6) + b"\x00\x00\xa4\x81" + struct.pack("<I", len(local)) + name
        local += b"PK\x03\x04" + COMMON + numbers + name + content
    count = struct.pack("<HH", len(names), len(names))
    end = b"PK\x05\x06" + bytes(4) + count
    end += struct.pack("<II", len(central), len(local)) + bytes(2)
    return bytes(local + central + end)


# JSON, strictly: no member twice, no unknown member, whole numbers without a sign.


def read_json(data, name):
    def members(pairs):
        once = dict(pairs)
        need(len(once) == len(pairs), f"{name}: a member stands there twice")
        return once

    def whole(text):
        return decode_number(text, f"{name}: {text}")

    def refuse(text):
        raise Refused(f"{name}: {text} is not a whole number")

    try:
        return json.loads(
            to_text(data, name),
            object_pairs_hook=members,
            parse_int=whole,
            parse_float=refuse,
            parse_constant=refuse,
        )
    except (json.JSONDecodeError, RecursionError) as error:
        raise Refused(f"{name} is not JSON: {error}") from None


def check_members(value, shape, name, optional=()):
    need(isinstance(value, dict), f"{name} is not an object")
    for member in value:
        need(member in shape, f"{name}: unknown member {member}")
    for member, kind in shape.items():
        need(member in value or member in optional, f"{name}: {member} is missing")
        holds = member not in value or type(value[member]) is kind
        need(holds, f"{name}: {member} is of another type")
        if kind is str and member in value:
            surrogates = any("\ud800" <= c <= "\udfff" for c in value[member])
            need(not surrogates, f"{name}: {member} is not text")


MANIFEST = {
    "format": str,
    "software": str,
    "origin": str,
    "title": str,
    "created": str,
    "records": list,
    "batches": list,
    "files": dict,
}
PROOF = {
    "sequence": int,
    "batch": int,
    "index_in_batch": int,
    "head": str,
    "withheld": list,
    "leaf_hash": str,
    "inner_path": list,
}


# The bundle, step by step as docs/reference/evidence-format.md has it.


class Bundle:
    def __init__(self, data):
        self.files = read_archive(data)
        key = self.text("keys/log.vkey")
        need(key.endswith("\n"), "keys/log.vkey has no line end")
        self.key = VerifierKey(key[:-1], LOG_KEY)
        self.manifest = self.check_manifest()
        self.checkpoint = Checkpoint(self.text("checkpoint"), self.key)
        same = self.manifest["origin"] == self.checkpoint.origin
        need(same, "the origin of manifest.json is not the checkpoint's")
        self.cosigned = self.check_policy()
        self.stamps = [self.check_stamp(name) for name in self.stamp_names()]
        headers = {batch: self.check_batch(batch) for batch in self.manifest["batches"]}
        self.withheld, self.custody = 0, 0
        for row in self.manifest["records"]:
            need(row["batch"] in headers, f"record {row['sequence']}: its batch is missing")
            self.check_record(row, headers[row["batch"]])
        lines = self.text("events.ndjson").split("\n")
        self.events = len(lines) - (lines[-1] == "")

    def bytes(self, name):
        need(name in self.files, f"{name} is missing")
        return self.files[name]

    def text(self, name):
        return to_text(self.bytes(name), name)

    def check_manifest(self):
        data = self.bytes("manifest.json")
        note = Note(self.text("manifest.note"), "manifest.note")
        self.key.check_note(note, "manifest.note")
        expected = f"deedtrail-bundle-manifest-v1\n{sha256(data).hex()}\n"
        is_signed = note.text == expected and len(note.signatures) == 1
        need(is_signed, "manifest.json was changed after the bundle was made")
        manifest = read_json(data, "manifest.json")
        check_members(manifest, MANIFEST, "manifest.json")
        need(manifest["format"] == "deedtrail-bundle-v1", "manifest.json: unknown format")
        for row in manifest["records"]:
            check_members(row, {"sequence": int, "batch": int}, "a record of manifest.json")
        need(all(type(b) is int for b in manifest["batches"]), "manifest.json: batches")
        for name, digest in manifest["files"].items():
            same = sha256(self.bytes(name)).hex() == digest
            need(same, f"{name} was changed after the bundle was made")
        self.check_names(manifest)
        return manifest

    def check_names(self, manifest):
        known = {"events.ndjson", "checkpoint", "keys/log.vkey", "report.html"}
        known |= {"policy", "completeness.json"}
        for row in manifest["records"]:
            known |= {f"raw/{row['sequence']:020}", f"proofs/{row['sequence']:020}.json"}
        for batch in manifest["batches"]:
            known |= {f"batches/{batch:020}.header", f"batches/{batch:020}.tlog-proof"}
        for name in self.files:
            if name in ("manifest.json", "manifest.note"):
                continue
            is_known = name in known or name.startswith("extra/") or stamp_name(name)
            listed = name in manifest["files"] and is_known
            need(listed, f"{name} is not listed in the manifest")

    def check_policy(self):
        """Cosignatures by the witnesses that the bundle names: (key, time)."""
        if "policy" not in self.files:
            return []
        cosigned = []
        for line in self.text("policy").split("\n"):
            words = [word for word in line.replace("\t", " ").split(" ") if word]
            if words[:1] == ["witness"]:
                need(len(words) >= 3, "policy: a witness without a key")
                key = VerifierKey(words[2], WITNESS_KEY)
                time = key.cosigned(self.checkpoint.note)
                if time is not None:
                    cosigned.append((key, time))
        return cosigned

    def stamp_names(self):
        return sorted({stamp_name(name) for name in self.files} - {None})

    def check_stamp(self, name):
        """Name, time and batches of a time stamp: it stamps a checkpoint of this history."""
        path = f"timestamps/{name}"
        stamped = Checkpoint(self.text(f"{path}.checkpoint"), self.key)
        proof = self.text(f"{path}.consistency")
        need(proof == "" or proof.endswith("\n"), f"{path}.consistency has no line end")
        hashes = [decode_base64(line, f"a hash of {path}.consistency") for line in proof.split("\n")[:-1]]
        fits = len(hashes) <= 128 and all(len(hash_) == 32 for hash_ in hashes)
        need(fits, f"{path}.consistency is not hashes")
        older, newer = sorted((stamped, self.checkpoint), key=lambda one: one.size)
        same = is_continued(older, newer, hashes)
        need(same, f"{path}.checkpoint is of another history")
        hash_, time = read_stamp(self.bytes(f"{path}.tsr"), f"{path}.tsr")
        is_of = hash_ == sha256(self.bytes(f"{path}.checkpoint"))
        need(is_of, f"{path}.tsr stamps something else than the checkpoint")
        return name, time, stamped.size

    def check_batch(self, batch):
        """First sequence, count and root of a batch that the checkpoint covers."""
        name = f"batches/{batch:020}.header"
        header = self.bytes(name)
        need(len(header) == 152 and header[:4] == b"DTB\x01", f"{name} is not a batch header")
        number, first, count = struct.unpack_from(">QQQ", header, 8)
        need(number == batch, f"{name} is another batch")
        need(count < 1 << 32, f"{name}: too many records")
        proof = self.text(f"batches/{batch:020}.tlog-proof")
        index, path = self.read_proof(proof, f"batches/{batch:020}.tlog-proof")
        need(index == batch, f"the proof of batch {batch} is of another batch")
        root = root_of_path(leaf_hash(header), index, self.checkpoint.size, path)
        need(root == self.checkpoint.root, f"batch {batch} is not under the checkpoint")
        return first, count, header[56:88]

    def read_proof(self, proof, name):
        head, blank, checkpoint = proof.partition("\n\n")
        need(blank, f"{name} has no blank line")
        need(checkpoint == self.text("checkpoint"), f"{name} has another checkpoint")
        lines = head.split("\n")
        need(lines[0] == "c2sp.org/tlog-proof@v1", f"{name}: unknown first line")
        lines = lines[1:]
        if lines and lines[0].startswith("extra "):
            lines = lines[1:]
        need(lines and lines[0].startswith("index "), f"{name} has no index")
        index = decode_number(lines[0][len("index ") :], f"the index of {name}")
        path = [decode_base64(line, f"a hash of {name}") for line in lines[1:]]
        fits = len(path) <= PATH_MAX and all(len(hash_) == 32 for hash_ in path)
        need(fits, f"{name} has a bad path")
        return index, path

    def check_record(self, row, header):
        sequence, (first, count, root) = row["sequence"], header
        name = f"proofs/{sequence:020}.json"
        proof = read_json(self.bytes(name), name)
        check_members(proof, PROOF, name, optional=("withheld",))
        same = (proof["sequence"], proof["batch"]) == (sequence, row["batch"])
        need(same, f"{name} is about another record")
        index = proof["index_in_batch"]
        need(first + index == sequence, f"record {sequence} has another place in its batch")
        head = decode_base64(proof["head"], f"{name}: head")
        kind, table = read_head(head, f"record {sequence}")
        hashes = self.part_hashes(sequence, proof, table)
        leaf = leaf_hash(head + b"".join(hashes))
        need(leaf.hex() == proof["leaf_hash"], f"record {sequence}: the leaf hash differs")
        path = [decode_hash(text, f"{name}: a hash of the path") for text in proof["inner_path"]]
        leads = root_of_path(leaf, index, count, path) == root
        need(leads, f"record {sequence} is not in its batch")
        self.withheld += len(proof.get("withheld", []))
        self.custody += kind == AUDIT

    def part_hashes(self, sequence, proof, table):
        """Hashes of the parts: of what is in the raw file, else as told."""
        where = f"record {sequence}"
        rest, withheld, hashes = self.bytes(f"raw/{sequence:020}"), {}, []
        for one in proof.get("withheld", []):
            shape = {"part": int, "length": int, "sha256": str}
            check_members(one, shape, f"{where}: a withheld part")
            in_order = not withheld or max(withheld) < one["part"]
            need(in_order, f"{where}: withheld parts are not in order")
            withheld[one["part"]] = one
        for part, (class_, length) in enumerate(table):
            one = withheld.pop(part, None)
            if one is None:
                need(len(rest) >= length, f"{where} ends early")
                hashes.append(sha256(rest[:length]))
                rest = rest[length:]
                continue
            name = CLASSES[class_]
            need(name in WITHHELD_CLASSES, f"{where}: a part of this class is never withheld")
            need(one["length"] == length, f"{where}: the length of a withheld part differs")
            marker = f"⟦withheld: {name}, {length} bytes, part {part} of {proof['leaf_hash']}⟧"
            marker = marker.encode("utf-8")
            need(rest.startswith(marker), f"{where}: the marker of a withheld part differs")
            hashes.append(decode_hash(one["sha256"], f"{where}: the hash of a withheld part"))
            rest = rest[len(marker) :]
        need(not rest and not withheld, f"{where} has more or fewer parts")
        return hashes


# Time stamps (RFC 3161): what is said in them, not by whom.

STAMP_NAME = re.compile(r"timestamps/([A-Za-z0-9_-]{1,60})\.(?:tsr|checkpoint|consistency)")
STAMP_BYTES_MAX = 64 << 10
INTEGER, OCTETS, OID, TIME, SEQUENCE, SET, INNER = 0x02, 0x04, 0x06, 0x18, 0x30, 0x31, 0xA0
SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
TST_INFO = bytes.fromhex("2a864886f70d0109100104")
SHA_256 = bytes.fromhex("608648016503040201")
GENERAL_TIME = re.compile(r"(\d{14})(?:\.(\d{0,8}[1-9]))?Z", re.ASCII)


def stamp_name(file):
    match = STAMP_NAME.fullmatch(file)
    return match.group(1) if match else None


class Der:
    """Values in DER, one after the other."""

    def __init__(self, data, what):
        self.data, self.what = data, what

    def take(self, tag):
        """Content of the next value, which has to have this tag."""
        data, what = self.data, self.what
        need(len(data) >= 2 and data[0] == tag, f"{what} is no answer of a time stamp authority")
        length, at = data[1], 2
        if length >= 0x80:
            count = length - 0x80
            need(1 <= count <= 4 and len(data) >= 2 + count, f"{what}: a length in DER")
            at += count
            length = int.from_bytes(data[2:at], "big")
            is_short = length < 0x80 or length < 1 << (8 * (count - 1))
            need(not is_short, f"{what}: a length in DER")
        need(len(data) >= at + length, f"{what} ends early")
        self.data = data[at + length :]
        return data[at : at + length]

    def inside(self, tag):
        return Der(self.take(tag), self.what)

    def end(self):
        need(not self.data, f"{self.what}: something stands behind it")


def read_stamp(data, what):
    """The SHA-256 hash that was stamped, and when (text)."""
    need(len(data) <= STAMP_BYTES_MAX, f"{what} is too large")
    top = Der(data, what)
    answer = top.inside(SEQUENCE)
    top.end()
    status = answer.inside(SEQUENCE).take(INTEGER)
    need(status in (b"\0", b"\1"), f"{what}: the authority refused")
    token = answer.inside(SEQUENCE)
    answer.end()
    need(token.take(OID) == SIGNED_DATA, f"{what} is not signed")
    signed = token.inside(INNER).inside(SEQUENCE)
    signed.take(INTEGER)
    signed.take(SET)
    content = signed.inside(SEQUENCE)
    need(content.take(OID) == TST_INFO, f"{what} is no stamp")
    stamp = content.inside(INNER).inside(OCTETS)
    info = stamp.inside(SEQUENCE)
    stamp.end()
    need(info.take(INTEGER) == b"\1", f"{what} has another version")
    info.take(OID)
    imprint = info.inside(SEQUENCE)
    need(imprint.inside(SEQUENCE).take(OID) == SHA_256, f"{what} is not of a SHA-256 hash")
    hash_ = imprint.take(OCTETS)
    info.take(INTEGER)
    return hash_, read_time(info.take(TIME), what)


def read_time(data, what):
    match = GENERAL_TIME.fullmatch(to_text(data, what))
    need(match, f"{what}: the time")
    try:
        moment = datetime.strptime(match.group(1), "%Y%m%d%H%M%S")
    except ValueError:
        raise Refused(f"{what}: the time") from None
    need(moment.year >= 1970, f"{what}: the time")
    fraction = (match.group(2) or "")[:6].ljust(6, "0")
    return f"{moment.strftime('%Y-%m-%dT%H:%M:%S')}.{fraction}Z"


def is_continued(older, newer, path):
    """Whether the path shows that one tree continues the other (RFC 9162, section 2.1.4.2)."""
    if older.size == 0:
        return not path and older.root == sha256(b"")
    if older.size == newer.size:
        return not path and older.root == newer.root
    path = ([older.root] if older.size & (older.size - 1) == 0 else []) + path
    if not path:
        return False
    node, last = older.size - 1, newer.size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old, new = path[0], path[0]
    for hash_ in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(hash_, old), node_hash(hash_, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, hash_)
        node, last = node >> 1, last >> 1
    return last == 0 and (old, new) == (older.root, newer.root)


def read_head(head, where):
    """Kind, and class and length of every part."""
    try:
        version, kind, flags = head[0], head[1], head[2]
        at = 3 + 4 + 8
        for _ in range(4):
            (length,) = struct.unpack_from(">H", head, at)
            at += 2 + length
            need(at <= len(head), f"{where}: the head ends early")
            to_text(head[at - length : at], f"{where}: a field of the head")
        (count,) = struct.unpack_from(">H", head, at)
        rows = [struct.unpack_from(">BII", head, at + 2 + 9 * row) for row in range(count)]
    except (IndexError, struct.error):
        raise Refused(f"{where}: the head ends early") from None
    need(at + 2 + 9 * count == len(head), f"{where}: something stands behind the head")
    need(version == 1 and 1 <= kind <= 6 and flags < 8, f"{where}: unknown head")
    known = all(class_ < len(CLASSES) and key_id == 0 for class_, key_id, _ in rows)
    need(known, f"{where}: unknown part")
    return kind, [(class_, length) for class_, _, length in rows]


def at(seconds):
    try:
        moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return f"{seconds} s after 1970"


def tell_stamps(bundle):
    batches = [row["batch"] for row in bundle.manifest["records"]]
    for name, time, size in bundle.stamps:
        covered = sum(batch < size for batch in batches)
        say(
            f"time stamp {name}: {time}, over the first {size} batches with {covered} of the "
            f"{len(batches)} records: its imprint is right, its signature was not checked"
        )
        say(
            "check it with the authority's certificate, in the folder of the unpacked bundle: openssl "
            f"ts -verify -in timestamps/{name}.tsr -data timestamps/{name}.checkpoint -CAfile CA.pem"
        )


def check_witnesses(bundle, keys, quorum):
    """Lines that say who vouches; refused when fewer than `quorum` of the given ones do."""
    if not keys:
        if not bundle.cosigned:
            return ["witnesses: none. Nobody but the operator vouches that there is no other history"]
        lines = [f"cosigned by {key.text} at {at(time)}" for key, time in bundle.cosigned]
        return lines + ["these keys come from the bundle: give those you know with --witness"]
    times = [(key, key.cosigned(bundle.checkpoint.note)) for key in keys]
    vouching = [(key, time) for key, time in times if time is not None]
    quorum = len(keys) if quorum is None else quorum
    names = ", ".join(key.name for key, time in times if time is None)
    missing = f"; missing: {names}" if names else ""
    enough = f"{len(vouching)} of {len(keys)} witnesses vouch, {quorum} are asked for{missing}"
    need(len(vouching) >= quorum, enough)
    return [f"witnessed by {key.name} at {at(time)}" for key, time in vouching]


def held_back(statement):
    """What exceptions to rules held back, in the exporter's words; none where these cannot be read."""
    try:
        held = json.loads(statement.decode("utf-8"))["held_back"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    held = [one for one in held if isinstance(one, dict)] if isinstance(held, list) else []
    return [one["says"] for one in held if isinstance(one.get("says"), str)]


def report(bundle, arguments):
    manifest, checkpoint = bundle.manifest, bundle.checkpoint
    wanted = arguments.key
    same = wanted is None or wanted.text == bundle.key.text
    need(same, f"signed by another key, {bundle.key.text}")
    lines = check_witnesses(bundle, arguments.witness, arguments.quorum)
    say(f"OK: {manifest['title']}")
    say(
        f"{len(manifest['records'])} records, {bundle.events} events, made {manifest['created']}; "
        f"in the log {checkpoint.origin} at size {checkpoint.size}"
    )
    if bundle.custody:
        say(f"{bundle.custody} of the records say who looked, decided, revealed or exported (custody)")
    if bundle.withheld:
        say(f"{bundle.withheld} parts with secrets or tool arguments are withheld; their hashes hold")
    for said in held_back(bundle.files.get("completeness.json", b"{}")):
        say(f"as the exporter says: {said}")
    say(f"signed by {bundle.key.text}")
    for line in lines:
        say(line)
    tell_stamps(bundle)
    if wanted is None:
        say("anybody could have signed this: compare the key with one you know, or give --key")


def say(line):
    """Prints without what would steer a terminal."""
    shown = (c if unicodedata.category(c)[0] != "C" else "\ufffd" for c in line)
    text = "".join(shown) + "\n"
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))


def arguments_of(line):
    parser = argparse.ArgumentParser(description="Checks an evidence bundle of Deedtrail, offline.")
    parser.add_argument("file", help="the bundle")
    parser.add_argument("--key", metavar="VKEY", help="the log's key, as you know it")
    parser.add_argument(
        "--witness", metavar="VKEY", action="append", default=[], help="a witness you trust; repeatable"
    )
    parser.add_argument(
        "--quorum", metavar="K", type=int, help="how many of them must vouch; all unless said"
    )
    arguments = parser.parse_args(line)
    most = len(arguments.witness)
    try:
        if arguments.key is not None:
            arguments.key = VerifierKey(arguments.key.strip(), LOG_KEY)
        arguments.witness = [VerifierKey(key.strip(), WITNESS_KEY) for key in arguments.witness]
    except Refused as reason:
        parser.error(str(reason))
    if len({key.key for key in arguments.witness}) != most:
        parser.error("--witness: one was given twice")
    if arguments.quorum is not None and most == 0:
        parser.error("--quorum: name the witnesses with --witness")
    if arguments.quorum is not None and not 1 <= arguments.quorum <= most:
        parser.error(f"--quorum: 1 to {most}, the number of --witness")
    return arguments


def main(line):
    arguments = arguments_of(line)
    try:
        with open(arguments.file, "rb") as file:
            data = file.read(BUNDLE_BYTES_MAX + 1)
    except OSError as error:
        sys.stderr.write(f"error: cannot read {arguments.file}: {error.strerror}\n")
        return 2
    try:
        need(len(data) <= BUNDLE_BYTES_MAX, "the bundle is too large")
        report(Bundle(data), arguments)
    except Refused as reason:
        say(f"NOT VALID: {reason}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
