//! JSON Schema of the parts of a mapping file that may be written in several ways.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::spec::{
    ChoiceSpec, ChoicesSpec, ConditionSpec, FormattedTime, PatternSpec, TextSpec, TextTable,
    TimeSpec, ValueSpec, ValueTable,
};

macro_rules! schema {
    ($type:ident, $generator:ident => $schema:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

schema!(ValueSpec, generator => json_schema!({
    "description": "A path, a 'constant' in single quotes, a template with {path} in it, a list \
        of which the first with a value wins, or a table.",
    "anyOf": [
        { "type": "string" },
        { "type": "array", "items": generator.subschema_for::<ValueSpec>() },
        generator.subschema_for::<ValueTable>(),
    ]
}));

schema!(TextSpec, generator => json_schema!({
    "description": "How lines of text are written: `cef`, or a table.",
    "anyOf": [
        { "type": "string", "enum": ["cef"] },
        generator.subschema_for::<TextTable>(),
    ]
}));

schema!(TimeSpec, generator => json_schema!({
    "description": "A path or list of paths to an RFC 3339 time, or a table with a format.",
    "anyOf": [
        { "type": "string" },
        { "type": "array", "items": generator.subschema_for::<ValueSpec>() },
        generator.subschema_for::<FormattedTime>(),
    ]
}));

schema!(ChoicesSpec, generator => json_schema!({
    "description": "One answer, or choices of which the first with an answer wins.",
    "anyOf": [
        { "type": ["string", "boolean"] },
        { "type": "array", "items": generator.subschema_for::<ChoiceSpec>() },
    ]
}));

schema!(PatternSpec, _generator => json_schema!({
    "description": "\"text\", \"glob*\", \"*\" (present), \"!text\", \"!*\" (absent), \
        \"/regex/\", a number or boolean, or a list of which one must match.",
    "anyOf": [
        { "type": ["string", "integer", "boolean"] },
        { "type": "array", "items": { "type": ["string", "integer", "boolean"] } },
    ]
}));

schema!(ConditionSpec, generator => json_schema!({
    "description": "All must hold: path = pattern.",
    "type": "object",
    "properties": {
        "any_of": { "type": "array", "items": generator.subschema_for::<ConditionSpec>() },
        "all_of": { "type": "array", "items": generator.subschema_for::<ConditionSpec>() },
        "none_of": { "type": "array", "items": generator.subschema_for::<ConditionSpec>() },
    },
    "additionalProperties": generator.subschema_for::<PatternSpec>(),
}));
