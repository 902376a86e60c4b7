//! What a name says about the value beside it.

/// What is known from a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Its value is a secret.
    Secret,
    /// Its value carries prompts, arguments or results of a tool.
    Arguments,
    /// Its object maps names to secrets, as `stringData` of a Kubernetes Secret does.
    Secrets,
    /// The same, if the object is of kind Secret.
    Data,
    /// Its value is what an agent said or was told, if the record is an agent's.
    Agent,
    /// Its value is a name; the value beside it is what that name says.
    Name,
    /// Its value belongs to the name beside it.
    Value,
}

/// Names whose values are secrets, whole: lower case, without separators.
pub(super) const SECRET: [&str; 27] = [
    "actortoken",
    "apisecret",
    "appsecret",
    "assertion",
    "bearer",
    "bottoken",
    "clientassertion",
    "clienttoken",
    "connectionstring",
    "deploytoken",
    "jobtoken",
    "jwt",
    "masterkey",
    "oauthtoken",
    "pass",
    "passcode",
    "plaintext",
    "privatetoken",
    "pwd",
    "samlassertion",
    "samlresponse",
    "secret",
    "secretbinary",
    "sharedaccesssignature",
    "subjecttoken",
    "token",
    "usertoken",
];

/// Endings of names whose values are secrets: `masterUserPassword`, `DB_PASSWORD`, `x-api-key`.
pub(super) const SECRET_ENDINGS: [&str; 26] = [
    "accesstoken",
    "accountkey",
    "apikey",
    "apitoken",
    "authorization",
    "authtoken",
    "bearertoken",
    "clientsecret",
    "cookie",
    "encryptionkey",
    "idtoken",
    "identitytoken",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "refreshtoken",
    "secretaccesskey",
    "secretkey",
    "secretstring",
    "securitytoken",
    "sessiontoken",
    "sharedaccesskey",
    "signingkey",
    "signingsecret",
    "vaulttoken",
];

/// Names of signatures that open a URL to whoever holds it, as query parameters.
const SIGNATURES: [&str; 4] = ["sig", "signature", "xamzsignature", "xgoogsignature"];

/// Attributes with prompts, arguments and results: OpenTelemetry `GenAI` conventions of v1.42 and
/// before, `OpenInference`, Traceloop.
pub(super) const ARGUMENTS: [&str; 24] = [
    "gen_ai.completion",
    "gen_ai.event.content",
    "gen_ai.input.messages",
    "gen_ai.memory.query.text",
    "gen_ai.memory.records",
    "gen_ai.output.messages",
    "gen_ai.prompt",
    "gen_ai.retrieval.documents",
    "gen_ai.retrieval.query.text",
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.tool.message",
    "input.value",
    "mcp.request.arguments",
    "mcp.request.params",
    "mcp.response.value",
    "mcp.tool.arguments",
    "mcp.tool.result",
    "output.value",
    "tool.parameters",
    "tool_call.function.arguments",
    "traceloop.entity.input",
    "traceloop.entity.output",
];

/// Families of such attributes, one attribute a message: `gen_ai.prompt.0.content`.
const ARGUMENT_FAMILIES: [&str; 9] = [
    "gen_ai.completion.",
    "gen_ai.prompt.",
    "llm.completions.",
    "llm.input_messages.",
    "llm.output_messages.",
    "llm.prompts.",
    "mcp.request.argument.",
    "mcp.tool.argument.",
    "retrieval.documents.",
];

/// Members of a family that carry no content.
const FAMILY_FACTS: [&str; 4] = [".role", ".name", ".id", ".finish_reason"];

/// Bytes of a name that are compared, from its end, without separators.
const NAME_BYTES_MAX: usize = 32;

/// What `key` says about its value; `None` for nearly all keys.
pub(super) fn meaning(key: &[u8]) -> Option<Meaning> {
    if let [b'g' | b'i' | b'l' | b'm' | b'o' | b'r' | b't', ..] = key
        && key.len() > 10
        && is_arguments(key)
    {
        return Some(Meaning::Arguments);
    }
    if !may_end_a_name(key) {
        return None;
    }
    let mut buffer = [0; NAME_BYTES_MAX];
    let (name, whole) = plain(key, &mut buffer);
    match name {
        b"key" | b"name" | b"displayname" | b"parameterkey" | b"parametername"
        | b"propertyname"
            if whole =>
        {
            Some(Meaning::Name)
        }
        b"value" | b"newvalue" | b"oldvalue" | b"parametervalue" if whole => Some(Meaning::Value),
        b"data" if whole => Some(Meaning::Data),
        b"arguments" | b"content" | b"input" | b"output" | b"structuredcontent" if whole => {
            Some(Meaning::Agent)
        }
        b"stringdata" if whole => Some(Meaning::Secrets),
        _ if is_secret(name, whole) => Some(Meaning::Secret),
        _ => None,
    }
}

/// Whether the value of a `name=value` or of a URL's query parameter is a secret.
pub(super) fn is_secret_parameter(key: &[u8]) -> bool {
    let mut buffer = [0; NAME_BYTES_MAX];
    let (name, whole) = plain(key, &mut buffer);
    let signature = || SIGNATURES.iter().any(|known| known.as_bytes() == name);
    is_secret(name, whole) || whole && signature()
}

fn is_secret(name: &[u8], whole: bool) -> bool {
    let ending = |known: &str| name.ends_with(known.as_bytes());
    SECRET_ENDINGS.iter().any(|known| ending(known))
        || whole && SECRET.iter().any(|known| known.as_bytes() == name)
}

fn is_arguments(key: &[u8]) -> bool {
    let family = || {
        ARGUMENT_FAMILIES
            .iter()
            .any(|family| key.starts_with(family.as_bytes()))
            && key != b"gen_ai.prompt.name"
            && !FAMILY_FACTS
                .iter()
                .any(|fact| key.ends_with(fact.as_bytes()))
    };
    ARGUMENTS.iter().any(|known| known.as_bytes() == key) || family()
}

/// Whether a name of the lists can end as `key` does: quick, and false for most keys.
fn may_end_a_name(key: &[u8]) -> bool {
    let [.., before, last] = key else {
        return false;
    };
    let before = before | 0x20;
    match last | 0x20 {
        b'a' => before == b't',
        b'd' => matches!(before, b'r' | b'w'),
        b'e' => matches!(before, b'd' | b'i' | b'm' | b'r' | b's' | b'u'),
        b'g' => matches!(before, b'i' | b'n'),
        b'n' => matches!(before, b'e' | b'o'),
        b'r' => before == b'e',
        b's' => matches!(before, b's' | b't'),
        b't' => matches!(before, b'e' | b'n' | b'u' | b'w' | b'x'),
        b'y' => matches!(before, b'e' | b'r'),
        _ => false,
    }
}

/// The end of `key` in lower case without separators, and whether that is all of it.
fn plain<'a>(key: &[u8], buffer: &'a mut [u8; NAME_BYTES_MAX]) -> (&'a [u8], bool) {
    let mut start = NAME_BYTES_MAX;
    let separator = |byte: u8| matches!(byte, b'_' | b'-' | b'.' | b' ' | b'/' | b':' | b'$');
    // Separators cost a look as well, so a key made of them is not walked to its start.
    let tail = &key[key.len().saturating_sub(2 * NAME_BYTES_MAX)..];
    for byte in tail.iter().rev().copied().filter(|byte| !separator(*byte)) {
        if start == 0 {
            return (&buffer[..], false);
        }
        start -= 1;
        buffer[start] = byte.to_ascii_lowercase();
    }
    (&buffer[start..], tail.len() == key.len())
}
