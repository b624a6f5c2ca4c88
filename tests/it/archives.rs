//! Members of zip archives as files of rows, written by Python's `zipfile`.

use crate::rows::{reads, run_python};
use crate::support::Sandbox;
use serde_json::{Value, json};
use std::fs;

/// Writes archives in `z`, a function that opens one.
fn archives(sandbox: &Sandbox, code: &str) {
    let prelude = "import gzip, zipfile\nfrom zipfile import *\ndef z(name): return ZipFile(name, 'w', ZIP_DEFLATED)\n";
    run_python(sandbox, &["-c", &format!("{prelude}{code}")]);
}

const GO_ON: &str = "continue_on_error: true\n      batch_size: 100\n      batched: false";

fn workflow(paths: &str) -> String {
    reads(&format!("csv: {paths}, where_from: src, types: {{n: integer}}"), GO_ON)
}

const MEMBERS: &str = "
with z('data.zip') as a:
    a.writestr('b.csv', 'n,t\\n1,x\\n2,\"y\\ny\"\\n')
    a.writestr('sub/a.csv', 'n,t\\n' + ''.join(f'{n},w\\n' for n in range(5000)))
    a.writestr('sub/deep/c.csv', 'n,t\\n7,z\\n', ZIP_BZIP2)
    a.writestr('d.csv', 'n,t\\n9,q\\n', ZIP_STORED)
    a.writestr('e.csv.gz', gzip.compress(b'n,t\\n10,g\\n'))
    a.writestr('sub/', '')
    a.writestr('.hidden.csv', 'x')
    a.writestr('__MACOSX/b.csv', 'x')
";

/// The rows of the files that Python finds at these names of the archive.
fn by_python(sandbox: &Sandbox, names: &[&str]) -> Vec<Value> {
    let code = format!(
        "import csv, gzip, io, json, zipfile
a = zipfile.ZipFile('data.zip')
rows = []
for name in {names:?}:
    data = a.read(name)
    data = gzip.decompress(data) if name.endswith('.gz') else data
    for row in csv.DictReader(io.StringIO(data.decode(), newline='')):
        rows.append({{'n': int(row['n']), 't': row['t'], 'src': 'data.zip/' + name}})
json.dump(rows, open('expected.json', 'w'))"
    );
    run_python(sandbox, &["-c", &code]);
    serde_json::from_str(&sandbox.read("expected.json")).unwrap()
}

#[test]
#[ignore = "heavy: takes seconds"]
fn members_of_an_archive_are_files() {
    let sandbox = Sandbox::new();
    archives(&sandbox, MEMBERS);
    let table: &[(&str, &[&str])] = &[
        ("data.zip", &["b.csv", "d.csv", "e.csv.gz", "sub/a.csv", "sub/deep/c.csv"]),
        ("data.zip/sub/a.csv", &["sub/a.csv"]),
        ("'data.zip/*.csv'", &["b.csv", "d.csv"]),
        ("'*.zip/**/[ac].csv'", &["sub/a.csv", "sub/deep/c.csv"]),
        ("['d*.zip/sub/*.csv', data.zip/b.csv, ./data.zip/b.csv]", &["sub/a.csv", "b.csv"]),
    ];
    for (paths, names) in table {
        fs::write(sandbox.path().join("workflow.yaml"), workflow(paths)).unwrap();
        sandbox.run(&[]).exits_with(0);
        assert_eq!(sandbox.results("read"), by_python(&sandbox, names), "{paths}");
    }
    sandbox.batchmill(&["inspect", "data.zip"]).exits_with(0);
}

/// Rows of a member are known by what it contains, so an archive that is made anew costs nothing.
#[test]
fn only_members_that_changed_are_read_again() {
    let sandbox = Sandbox::with(&workflow("data.zip"));
    archives(
        &sandbox,
        "with z('data.zip') as a:\n    a.writestr('a.csv', 'n\\n1\\n2\\n')\n    a.writestr('b.csv', 'n\\n3\\n')",
    );
    sandbox.run(&[]).exits_with(0);
    archives(
        &sandbox,
        "with z('data.zip') as a:\n    a.writestr('b.csv', 'n\\n4\\n')\n    a.writestr('a.csv', 'n\\n1\\n2\\n')\n    a.writestr('c.csv', 'n\\n5\\n')",
    );
    let stats =
        sandbox.run(&["--incremental", "--format", "json"]).exits_with(0).json()["steps"]["read"]["stats"].clone();
    assert_eq!((&stats["total"], &stats["unchanged"]), (&json!(4), &json!(2)));
    let numbers: Vec<_> = sandbox.results("read").iter().map(|row| row["n"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 4, 5]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_hostile_member_fails_alone() {
    let sandbox = Sandbox::with(&workflow("['*.zip', ok.csv]")).file("ok.csv", "n\n0\n").file("plain.zip", "n\n5\n");
    archives(
        &sandbox,
        "
with z('a.zip') as a:
    with a.open('bomb.csv', 'w') as f:
        f.write(b'n\\n')
        for _ in range(160): f.write(bytes(1 << 20))
    a.writestr('../up.csv', 'n\\n1\\n')
    a.writestr('/etc/up.csv', 'n\\n1\\n')
    a.writestr('lzma.csv', 'n\\n1\\n', ZIP_LZMA)
    a.writestr('locked.csv', 'n\\n1\\n')
    a.writestr('wrong.csv', 'n\\n1\\n', ZIP_STORED)
    a.writestr('good.csv', 'n\\n1\\n')
data = bytearray(open('a.zip', 'rb').read())
# The flag of encryption, in both headers.
for magic, flags, name in [(b'PK\\x03\\x04', 6, 30), (b'PK\\x01\\x02', 8, 46)]:
    at = -1
    while (at := data.find(magic, at + 1)) >= 0:
        if data[at + name:at + name + 10] == b'locked.csv': data[at + flags] |= 1
at = data.find(b'wrong.csvn\\n1')
data[at + 11] = ord('2')
open('a.zip', 'wb').write(data)
open('cut.zip', 'wb').write(data[:len(data) // 2])
with z('twice.zip') as a:
    a.writestr('x.csv', 'n\\n1\\n')
    a.writestr('y.csv', 'n\\n1\\n')
data = bytearray(open('twice.zip', 'rb').read())
first = data.find(b'PK\\x01\\x02')
second = data.find(b'PK\\x01\\x02', first + 1)
# Both members begin at the same place.
data[second + 42:second + 46] = data[first + 42:first + 46]
open('twice.zip', 'wb').write(data)
",
    );
    sandbox.run(&["--progress", "none"]).exits_with(1);
    let failures = sandbox.failures();
    let message = |failure: &Value| failure["error"].as_str().unwrap().to_owned();
    let messages: Vec<String> = failures.iter().map(message).collect();
    let expected = [
        ("a.zip/../up.csv: ", "its name leads out of the archive"),
        ("a.zip//etc/up.csv: ", "its name leads out of the archive"),
        ("a.zip/bomb.csv: ", "longer than 64 MiB"),
        ("a.zip/locked.csv: ", "it is encrypted; unpack the archive with its password"),
        ("a.zip/lzma.csv: ", "it is compressed by the method Lzma; unpack the archive"),
        ("a.zip/wrong.csv: ", "the checksum of the member is wrong"),
        ("cut.zip: ", "it is not a whole zip archive"),
        ("twice.zip/y.csv: ", "its data are also those of another member"),
    ];
    for (file, why) in expected {
        assert!(messages.iter().any(|text| text.starts_with(file) && text.contains(why)), "{file}{why}: {messages:?}");
    }
    assert_eq!(messages.len(), expected.len(), "{messages:?}");
    assert!(failures.iter().all(|failure| failure["type"] == "BadFile"));
    let sources = |row: &Value| row["src"].as_str().unwrap().to_owned();
    let read: Vec<String> = sandbox.results("read").iter().map(sources).collect();
    // The row of the file with a wrong checksum was read before its end.
    assert_eq!(read, ["a.zip/good.csv", "a.zip/wrong.csv", "plain.zip", "twice.zip/x.csv", "ok.csv"]);
}

#[test]
fn an_archive_that_lacks_a_member_says_so() {
    let sandbox = Sandbox::with(&workflow("data.zip/none.csv"));
    archives(&sandbox, "with z('data.zip') as a: a.writestr('a.csv', 'n\\n1\\n')");
    sandbox.run(&[]).exits_with(2).says(&["cannot read `data.zip`: it has no member `none.csv`", "workflow.yaml:5:"]);
    let twice = "import warnings\nwarnings.simplefilter('ignore')\n\
                 with z('data.zip') as a:\n    a.writestr('a.csv', 'n\\n1\\n')\n    a.writestr('a.csv', 'n\\n2\\n')";
    archives(&sandbox, twice);
    fs::write(sandbox.path().join("workflow.yaml"), workflow("data.zip")).unwrap();
    sandbox.run(&[]).exits_with(2).says(&["it has two members of one name; unpack it to choose between them"]);
    fs::write(sandbox.path().join("workflow.yaml"), workflow("'data.zip/*.txt'")).unwrap();
    archives(&sandbox, "with z('data.zip') as a: a.writestr('a.csv', 'n\\n1\\n')");
    sandbox.run(&[]).exits_with(4);
    fs::write(sandbox.path().join("workflow.yaml"), reads("parquet: data.zip", "")).unwrap();
    sandbox.run(&[]).exits_with(2).says(&["Parquet files in an archive are not read; unpack the archive"]);
}
