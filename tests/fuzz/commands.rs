//! Commands: in whatever place of a command a value is used, the shell prints what it would print for a plain word there, with the
//! value in its place; or the command is refused.

use crate::fuzzer::fuzz;
use batchmill::model::Text;
use batchmill::template::{ItemScope, RenderedCommand, ShellCommand};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

/// Where a value goes, and the plain word that shows where it comes out.
const HERE: &str = "{{ item }}";
const PLAIN: &str = "plainword";

/// A word, with the value in any quotes.
fn word() -> impl Strategy<Value = String> {
    let leaf = select(vec![
        "@",
        "'@'",
        "\"@\"",
        "a@b",
        "'a 'b@",
        "\"it's @\"",
        "'say \"@\"'",
        "\\'@",
        "\\\\@",
        "\"\\\\@\"",
        "\"\\\"@\"",
        "\\@",
        "${x:-@}",
        "\"${x:-@}\"",
        "${x:-'@'}",
        "\"${x:-\"@\"}\"",
        "\"${y#@}\"",
        "${y##@}",
        "\"${y%'@'}\"",
        "${x:+@}",
        "$((1 + @))",
        "$((${x:-@} + 1))",
        "$'@'",
        "${@}",
        "${#y}@",
        "\"$y@\"",
        "$y\"@\"",
        "~@",
        "x=@",
        "a\\\n@",
        "{a,@}",
        "\"#@\"",
        "'#'@",
        "\"`echo a`\"@",
        "\"`printf %s @`\"",
    ]);
    let leaf = leaf.prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|word| format!("\"$(printf '%s,' {word})\"")),
            inner.clone().prop_map(|word| format!("\"$(# it's {word}\nprintf '%s,' {word})\"")),
            inner.clone().prop_map(|word| format!("\"$(case a in a) printf '%s,' {word};; esac)\"")),
            inner.clone().prop_map(|word| format!("\"$(cat <<-'E' | cat\n\tit's (\n\tE\nprintf '%s,' {word})\"")),
            inner.clone().prop_map(|word| format!("\"$( (printf '%s,' {word}) )\"")),
            inner.clone().prop_map(|word| format!("\"${{x:-{word}}}\"")),
            inner.clone().prop_map(|word| format!("\"$(sh -c 'printf %s {word}')\"")),
            (inner.clone(), inner).prop_map(|(one, other)| format!("{one}{other}")),
        ]
    })
}

/// A command that prints words.
fn command() -> impl Strategy<Value = String> {
    let prints = vec(word(), 1..4).prop_map(|words| format!("printf '<%s>' {}", words.join(" ")));
    prints.prop_recursive(3, 10, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("{one}; {other}")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("{one} # don't @ \"\n{other}")),
            (inner.clone(), word())
                .prop_map(|(one, word)| format!("cat <<E\n{word} '@' \" $(printf %s {word})\nE\n{one}")),
            (inner.clone(), word()).prop_map(|(one, word)| format!("cat <<-\\E; {one}\n\t{word}\n\tE\n{one}")),
            (inner.clone(), word()).prop_map(|(one, word)| format!("case {word} in a) ;; *) ;; esac; {one}")),
            (inner.clone(), word()).prop_map(|(one, word)| format!("z={word}; printf '[%s]' \"$z\"; {one}")),
            inner.clone().prop_map(|one| format!("z=`printf %s @`; printf '[%s]' \"$z\"; {one}")),
            (inner.clone(), word())
                .prop_map(|(one, word)| format!("z=`printf '%s,' {word}`; printf '[%s]' \"$z\"; {one}")),
            inner.clone().prop_map(|one| format!("({one}) | cat")),
            inner.clone().prop_map(|one| format!("if true; then {one}; fi")),
            inner.prop_map(|one| format!("f() {{ {one}; }}; f")),
        ]
    })
}

/// Values that a shell would do something with. None ends in a line break, which `$(..)` would take away.
fn value() -> impl Strategy<Value = String> {
    let hostile = select(vec![
        "*",
        "a b",
        "$(touch broken)",
        "`touch broken`",
        "'; touch broken; '",
        "\"; touch broken; \"",
        "$HOME",
        "\\",
        "a\\",
        "-n",
        "a\nb",
        "#a",
        "~",
        "}",
        ")",
        "))",
        "{a,b}",
        "?",
        "[a-z]*",
        "E",
        "a\nE\nb",
        "\n",
        "",
        " ",
        "'",
        "\"",
        "!",
        "$((1))",
        "esac",
        ";;",
        "&",
        "|",
        "%s",
        "\t",
        "é",
    ]);
    let random = "[ -~\\n\u{e9}]{0,12}";
    prop_oneof![3 => hostile.prop_map(str::to_owned), 1 => random]
        .prop_map(|text| text.trim_end_matches('\n').to_owned())
}

/// What a command prints for an item; none if it is refused.
fn printed(command: &str, item: &str) -> Option<Vec<u8>> {
    let written = command;
    let command = ShellCommand::compile(&Text::new(command)).ok()?;
    let item = serde_json::to_vec(item).unwrap();
    let rendered = command.render(&Arc::new(ItemScope { item: Some(item), ..ItemScope::default() })).ok()?;
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let mut shell = match rendered {
        RenderedCommand::Argv(words) => {
            let mut program = Command::new(&words[0]);
            program.args(&words[1..]);
            program
        }
        RenderedCommand::Script { script, variables } => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &script]).envs(variables);
            shell
        }
    };
    let output = shell.env_remove("x").env("y", "\u{3a9}\u{3a9}").current_dir(folder.path()).output().unwrap();
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "a file was made by {written:?}");
    Some(output.stdout)
}

#[test]
fn a_value_is_one_word_in_every_place_of_a_command() {
    fuzz(150, &(command(), value()), |(command, value): (String, String)| {
        let command = command.replace('@', HERE);
        let (Some(plain), Some(hostile)) = (printed(&command, PLAIN), printed(&command, &value)) else {
            return Ok(());
        };
        let expected = String::from_utf8_lossy(&plain).replace(PLAIN, &value);
        prop_assert_eq!(String::from_utf8_lossy(&hostile), expected);
        Ok(())
    });
}
