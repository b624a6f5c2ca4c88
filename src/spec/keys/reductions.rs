//! The keys of `aggregate`.

use super::key::{KeyGroup, KeyType, is, key, words};

/// `aggregate` of a batch.
pub static AGGREGATE: KeyGroup = KeyGroup {
    name: "aggregate",
    doc: "One value computed from all results of a batch",
    keys: &[
        key(
            "code",
            KeyType::Text,
            None,
            "Python code that returns the aggregate; it can use `results`, `failed` and `stats`",
        ),
        key("inputs", KeyType::Mapping, None, "Variables for the code"),
        key("count", KeyType::PlainBool, is("false"), "Whether to count the results"),
        key("sum", KeyType::Fields, None, "Fields to add up"),
        key("mean", KeyType::Fields, None, "Fields to average"),
        key("std", KeyType::Fields, None, "Fields to find the standard deviation of"),
        key("min", KeyType::Fields, None, "Fields to find the minimum of"),
        key("max", KeyType::Fields, None, "Fields to find the maximum of"),
        key("quantiles", KeyType::Fields, None, "Fields to find quantiles of"),
        key("at", KeyType::Shares, words("0.25, 0.5, 0.75"), "Which quantiles, from 0 to 1"),
        key("distinct", KeyType::Fields, None, "Fields to count the different values of"),
        key("top", KeyType::Fields, None, "Fields to find the most frequent values of"),
        key("top_size", KeyType::PlainCount, is("10"), "How many values in `top`"),
        key("first", KeyType::Fields, None, "Fields to take the first value of"),
        key("last", KeyType::Fields, None, "Fields to take the last value of"),
        key("path", KeyType::Text, None, "File for the aggregate; its extension is the format"),
        key("group_by", KeyType::Fields, None, "Fields to group by"),
    ],
};
