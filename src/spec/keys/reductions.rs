//! The keys of `aggregate`.

use super::key::{DefaultValue, Key, KeyGroup, KeyType};

const fn key(name: &'static str, key_type: KeyType, doc: &'static str) -> Key {
    Key { name, key_type, default: None, doc }
}

/// `aggregate` of a batch.
pub static AGGREGATE: KeyGroup = KeyGroup {
    name: "aggregate",
    doc: "One value computed from all results of a batch",
    keys: &[
        key(
            "code",
            KeyType::Text,
            "Python code that returns the aggregate; it can use `results`, `failed` and `stats`",
        ),
        key("inputs", KeyType::Mapping, "Variables for the code"),
        Key {
            default: Some(DefaultValue::Value("false")),
            ..key("count", KeyType::PlainBool, "Whether to count the results")
        },
        key("sum", KeyType::Fields, "Fields to add up"),
        key("mean", KeyType::Fields, "Fields to average"),
        key("std", KeyType::Fields, "Fields to find the standard deviation of"),
        key("min", KeyType::Fields, "Fields to find the minimum of"),
        key("max", KeyType::Fields, "Fields to find the maximum of"),
        key("quantiles", KeyType::Fields, "Fields to find quantiles of"),
        Key {
            default: Some(DefaultValue::Words("0.25, 0.5, 0.75")),
            ..key("at", KeyType::Shares, "Which quantiles, from 0 to 1")
        },
        key("distinct", KeyType::Fields, "Fields to count the different values of"),
        key("top", KeyType::Fields, "Fields to find the most frequent values of"),
        Key {
            default: Some(DefaultValue::Value("10")),
            ..key("top_size", KeyType::PlainCount, "How many values in `top`")
        },
        key("first", KeyType::Fields, "Fields to take the first value of"),
        key("last", KeyType::Fields, "Fields to take the last value of"),
        key("path", KeyType::Text, "File for the aggregate; its extension is the format"),
        key("group_by", KeyType::Fields, "Fields to group by"),
    ],
};
