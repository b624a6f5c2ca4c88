//! Values in both directions.

use crate::host::run_code;

fn message(source: &str) -> String {
    let answer = run_code(source, &["1"]);
    assert_eq!(answer.failure().class, "TypeError");
    answer.failure().message.clone()
}

#[test]
fn integers_keep_all_digits_in_both_directions() {
    let big = "123456789012345678901234567890";
    let items = [big, "-9223372036854775808", "9223372036854775807", "18446744073709551615", "-0"];
    assert_eq!(run_code("return item", &items).lines(), [big, items[1], items[2], items[3], "0"]);
}

#[test]
fn what_is_not_a_number_becomes_null_and_is_counted() {
    let answer = run_code("return [float('nan'), float('-inf'), 1.5, 1e300]", &["1"]);
    assert_eq!(answer.lines(), ["[null,null,1.5,1e+300]"].map(|line| line.replace("e+", answer_exponent(&answer))));
    assert_eq!(answer.results[0].nulls, 2);
}

/// serde_json has changed how it writes large exponents; both forms are JSON.
fn answer_exponent(answer: &crate::host::Answer) -> &'static str {
    if answer.lines()[0].contains("e+") { "e+" } else { "e" }
}

#[test]
fn the_standard_librarys_values_have_a_form() {
    let source = "
import datetime, decimal, pathlib, uuid, enum, dataclasses, collections
class Color(enum.Enum):
    RED = 'red'
class Level(enum.IntEnum):
    LOW = 1
@dataclasses.dataclass
class Point:
    x: int
    y: object
Pair = collections.namedtuple('Pair', 'a b')
class Text(str): pass
return {
    'datetime': datetime.datetime(2024, 5, 6, 7, 8, 9),
    'date': datetime.date(2024, 5, 6),
    'decimal': decimal.Decimal('1.50'),
    'path': pathlib.Path('/tmp/x'),
    'uuid': uuid.UUID(int=1),
    'enum': [Color.RED, Level.LOW],
    'dataclass': Point(1, Point(2, None)),
    'set': {3, 1, 2},
    'namedtuple': Pair(1, 2),
    'text': Text('t\\n'),
    'counter': collections.Counter('aa'),
    'deque': collections.deque([1]),
    'sequence': collections.UserList([1]),
    1: True, None: None, 1.5: 0, False: 0, datetime.date(2024, 1, 1): 0,
}
";
    let expected = r#"{"datetime":"2024-05-06T07:08:09","date":"2024-05-06","decimal":1.50,"path":"/tmp/x","uuid":"00000000-0000-0000-0000-000000000001","enum":["red",1],"dataclass":{"x":1,"y":{"x":2,"y":null}},"set":[1,2,3],"namedtuple":[1,2],"text":"t\n","counter":{"a":2},"deque":[1],"sequence":[1],"1":true,"null":null,"1.5":0,"false":0,"2024-01-01":0}"#;
    assert_eq!(run_code(source, &["1"]).lines(), [expected]);
}

#[test]
fn what_cannot_be_written_fails_with_the_path_to_it() {
    assert_eq!(
        message("return {'rows': [0, {'fn': print}]}"),
        "cannot encode the result as JSON: `result.rows[1].fn` is a function"
    );
    assert!(message("return {'a b': b'x'}").contains("`result[\"a b\"]` is bytes"));
    assert!(message("return {'a': {(1, 2): 3}}").contains("`result.a` is a mapping with a `tuple` key"));
    assert!(message("return object()").contains("`result` is a `object` object"));
    assert!(message("return (x for x in [1])").contains("an iterator: convert it to a list"));
    assert!(message("a = {}\na['me'] = [a]\nreturn a").contains("a circular reference"));
    assert!(message("a = []\nfor _ in range(500): a = [a]\nreturn a").contains("nested more than 120 levels"));
    assert!(message("return {'text': '\\ud800'}").contains("`result.text` is a string with a lone surrogate"));
}

#[test]
fn text_stays_utf8_and_lone_surrogates_reach_user_code() {
    assert_eq!(run_code("return item", &["\"né \u{1F600}\""]).lines(), ["\"né \u{1F600}\""]);
    assert_eq!(run_code("return len(item)", &[r#""\ud800""#]).lines(), ["1"]);
    let deep = format!("{}1{}", "[".repeat(300), "]".repeat(300));
    assert_eq!(run_code("return len(item)", &[&deep]).lines(), ["1"]);
}

#[test]
fn numpy_values_have_a_form() {
    let source = "
try:
    import numpy as np
except ImportError:
    return 'skipped'
return [np.int64(1), np.float32(0.5), np.bool_(True), np.array([[1, 2], [3, 4]]), np.float64('nan'), np.str_('s'),
    np.array(['2024-01-02', 'NaT'], dtype='datetime64[D]'), {np.int64(3): 0}, np.datetime64('2024-01-02'), np.array([1.0, np.inf])]
";
    let lines = run_code(source, &["1"]).lines();
    let expected = r#"[1,0.5,true,[[1,2],[3,4]],null,"s",["2024-01-02",null],{"3":0},"2024-01-02",[1.0,null]]"#;
    assert!(lines == [expected] || lines == ["\"skipped\""], "{lines:?}");
}

#[test]
fn pandas_values_have_a_form() {
    let source = "
try:
    import pandas as pd
except ImportError:
    return 'skipped'
df = pd.DataFrame({'c': ['a', 'a', 'b'], 'v': [1, 2, 3]})
return [df, df.groupby('c').sum(), df.groupby('c').agg({'v': ['sum', 'count']}), df['v'], df.iloc[0],
    pd.Timestamp('2024-01-02'), pd.NaT, pd.NA]
";
    let lines = run_code(source, &["1"]).lines();
    let expected = r#"[[{"c":"a","v":1},{"c":"a","v":2},{"c":"b","v":3}],[{"c":"a","v":3},{"c":"b","v":3}],[{"c":"a","v_sum":3,"v_count":2},{"c":"b","v_sum":3,"v_count":1}],[1,2,3],{"c":"a","v":1},"2024-01-02T00:00:00",null,null]"#;
    assert!(lines == [expected] || lines == ["\"skipped\""], "{lines:?}");
}
