//! Finds code for another interpreter inside a command, such as `bash -c ".."`. The command's quoting does not protect it.

use super::programs::{Code, PROGRAMS, Program};
use super::words::{EXPANSION, QUOTED, SimpleCommand, VALUE, simple_commands};

/// The program that would run a value of the template as code: `bash -c "echo {{ item }}"`, `eval echo {{ item }}`.
pub(super) fn interpreter_of_values(command: &str) -> Option<String> {
    let commands = simple_commands(command);
    commands.iter().find_map(|command| {
        let source = command.piped_from.and_then(|at| commands.get(at));
        let input = command.input.iter().chain(source.into_iter().flat_map(printed)).collect();
        interpreter(&command.words, input)
    })
}

/// The same for a program and its arguments, without a shell.
pub(super) fn interpreter_of_arguments(words: &[String]) -> Option<String> {
    interpreter(words, Vec::new())
}

/// What a command prints as it is, if it prints something as it is.
fn printed(command: &SimpleCommand) -> impl Iterator<Item = &String> {
    let prints = command.words.iter().any(|word| matches!(word.as_str(), "echo" | "printf"));
    command.input.iter().chain(command.words.iter().filter(move |_| prints))
}

/// The first program among the words of a command that would run a value.
fn interpreter(words: &[String], input: Vec<&String>) -> Option<String> {
    (0..words.len()).find_map(|at| {
        let name = words[at].rsplit('/').next().unwrap_or_default();
        let arguments = &words[at + 1..];
        // What the shell puts in may be the name of any shell.
        let unknown = words[at].starts_with(EXPANSION) && words[..at].iter().all(|word| word.contains('='));
        let runs = |program: &&Program| {
            let Use { mut code, runs_input } = Use::of(program, arguments);
            code.extend(input.iter().filter(|_| runs_input));
            code.iter()
                .any(|text| text.contains(VALUE) || text.contains(QUOTED) && !(program.is_shell && quotes_hold(text)))
        };
        let found = PROGRAMS.iter().filter(|it| is_called(it, name) || unknown && it.names.contains(&"sh")).find(runs);
        found.map(|_| if unknown { "a program whose name is in a variable".to_owned() } else { format!("`{name}`") })
    })
}

/// Whether values that the template has quoted stay quoted in code for a shell: outside of other quotes, and not handed on to a
/// further shell.
fn quotes_hold(code: &str) -> bool {
    if code.contains(['`', '#']) || code.contains("<<") || code.contains("${") || code.contains("$((") {
        return false;
    }
    let (mut chars, mut quote) = (code.chars(), None);
    while let Some(c) = chars.next() {
        match (c, quote) {
            (QUOTED, Some(_)) => return false,
            ('\\', None | Some('"')) if chars.next() == Some(QUOTED) => return false,
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
    }
    interpreter_of_values(&code.replace(QUOTED, "\u{0}")).is_none()
}

/// Whether a program is called so, with or without a version: `python3.11`.
fn is_called(program: &Program, name: &str) -> bool {
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    program.names.iter().any(|it| *it == name || !bare.is_empty() && *it == bare)
}

/// What a program does with its arguments.
#[derive(Default)]
struct Use<'a> {
    /// The arguments that are code.
    code: Vec<&'a String>,
    runs_input: bool,
}

impl<'a> Use<'a> {
    fn of(program: &Program, arguments: &'a [String]) -> Self {
        // `parallel` quotes what follows `:::`.
        let end = arguments.iter().position(|word| word.starts_with(":::")).unwrap_or(arguments.len());
        let arguments = &arguments[..end];
        if arguments.iter().any(|word| word == "--sandbox") {
            return Self::default();
        }
        let Options { operands, mut code, takes_code, reads_input } = Options::read(program, arguments);
        let is_input = operands.first().is_some_and(|it| matches!(it.as_str(), "-" | "/dev/stdin"));
        let mut names_code = !code.is_empty() || !operands.is_empty();
        match program.code {
            Code::OperandIf(_) if takes_code => code.extend(operands.first()),
            Code::Operand(_) if !takes_code => code.extend(operands.first()),
            Code::Operands(from) => {
                code.extend(operands.iter().skip(from));
                names_code = operands.len() > from;
            }
            Code::All => code.extend(arguments),
            Code::File => names_code = true,
            _ => {}
        }
        let runs_input = program.runs_input && !takes_code && (reads_input || is_input || !names_code);
        Self { code, runs_input }
    }
}

/// Arguments, told apart.
#[derive(Default)]
struct Options<'a> {
    operands: Vec<&'a String>,
    /// Values of options that are code.
    code: Vec<&'a String>,
    /// Whether there is the option that says where the code is.
    takes_code: bool,
    reads_input: bool,
}

impl<'a> Options<'a> {
    fn read(program: &Program, arguments: &'a [String]) -> Self {
        let mut found = Self::default();
        let mut at = 0;
        // `flock FILE -c ..`
        let options_follow = program.is_shell && matches!(program.code, Code::Options(..));
        while let Some(word) = arguments.get(at) {
            at += 1;
            // What a value or the shell puts in may be an option or not.
            let may_be_option = word.starts_with([VALUE, QUOTED, EXPANSION])
                && matches!(program.code, Code::OperandIf(_) | Code::Options(..))
                && arguments[at..].iter().any(|it| it.starts_with('-'));
            if may_be_option {
                continue;
            } else if word == "--" {
                found.operands.extend(&arguments[at..]);
                break;
            } else if let Some(long) = word.strip_prefix("--") {
                at += found.long(program, long, (word, arguments.get(at)));
            } else if word.len() > 1 && word.starts_with(['-', '+']) {
                at += found.short(program, word, arguments.get(at));
                if program.module.is_some_and(|module| !found.takes_code && word.ends_with(module)) {
                    found.operands.extend(&arguments[at..]);
                    break;
                }
            } else {
                found.operands.push(word);
                let command_follows = matches!(program.code, Code::Operands(from) if found.operands.len() <= from);
                if !command_follows && !options_follow {
                    // What follows a script is for it.
                    found.operands.extend(&arguments[at..]);
                    break;
                }
            }
        }
        found
    }

    /// Reads a long option. Returns how many more arguments belong to it.
    fn long(&mut self, program: &Program, long: &str, (word, next): (&'a String, Option<&'a String>)) -> usize {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        if let Code::Options(_, names) = program.code
            && names.contains(&name)
        {
            self.takes_code = true;
            self.code.push(word);
            self.code.extend(next.filter(|_| value.is_none()));
            return usize::from(value.is_none());
        }
        usize::from(value.is_none() && program.long_with_value.contains(&name))
    }

    /// Reads options of one letter, which may share a dash. Returns how many more arguments belong to them.
    fn short(&mut self, program: &Program, word: &'a String, next: Option<&'a String>) -> usize {
        let letters = &word[1..];
        for (at, letter) in letters.char_indices() {
            let is_last = at + letter.len_utf8() == letters.len();
            match program.code {
                Code::Options(code, _) if code.contains(letter) => {
                    self.takes_code = true;
                    // The rest of the word or the next one is the code. Options of some programs can be told apart by neither.
                    self.code.push(word);
                    self.code.extend(next);
                    return usize::from(is_last);
                }
                Code::OperandIf(code) if letter == code => self.takes_code = true,
                Code::Operand(not) if not.contains(letter) => self.takes_code = true,
                Code::OperandIf(_) if letter == 's' => self.reads_input = true,
                _ => {}
            }
            if program.with_value.contains(letter) {
                return usize::from(is_last);
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inner(raw: &str) -> Option<String> {
        interpreter_of_values(&raw.replace("@q", "\u{1}").replace('@', "\u{0}"))
    }

    #[test]
    fn code_for_another_interpreter_is_found() {
        for (raw, program) in [
            ("bash -c \"echo @\"", "bash"),
            ("cd /tmp && sudo /bin/sh -ec 'ls @' x", "sh"),
            ("eval echo @", "eval"),
            ("python3.11 -c \"print('@')\"", "python3.11"),
            ("python3 -Ic\"print('@')\"", "python3"),
            ("python3 -u -c \"print('@')\"", "python3"),
            ("cat x | xargs sh -c 'echo @'", "sh"),
            ("sh -c -- 'echo @'", "sh"),
            ("bash -c \\\n 'echo @'", "bash"),
            ("sh \\\n -c 'echo @'", "sh"),
            ("sh -o pipefail -c 'echo @'", "sh"),
            ("bash --rcfile x -c 'echo @'", "bash"),
            ("perl -e '1;' -e 'print \"@\"'", "perl"),
            ("perl -lane 'print \"@\"' f", "perl"),
            ("node -pe '@'", "node"),
            ("node --eval='f(\"@\")'", "node"),
            ("$SHELL -c 'echo @'", "a program whose name is in a variable"),
            ("flock f -c 'echo @'", "flock"),
            ("trap 'echo @' EXIT", "trap"),
            ("bash <<EOF\necho @\nEOF", "bash"),
            ("python3 - <<EOF\nprint('@')\nEOF", "python3"),
            ("python3 - a <<< 'print(\"@\")'", "python3"),
            ("ssh -i key host bash -s <<EOF\n@\nEOF", "bash"),
            ("ssh -p 22 host rm @", "ssh"),
            ("ssh host <<EOF\nrm @\nEOF", "ssh"),
            ("echo 'rm @' | sh", "sh"),
            ("printf '%s' @ | sudo bash -s", "bash"),
            ("cat <<EOF | sh\n@\nEOF", "sh"),
            (". /dev/stdin <<EOF\n@\nEOF", "."),
            ("awk -F, 'BEGIN {print \"@\"}'", "awk"),
            ("sed -n 's/a/@/p' f", "sed"),
            ("sed -e 's/a/@/' f", "sed"),
            ("echo \"$(sh -c 'echo @')\"", "sh"),
            ("sh $OPTIONS -c 'echo @'", "sh"),
            ("python3 -c \"print('@q')\"", "python3"),
            ("find . -exec sh -c 'mv @ x' \\;", "sh"),
            ("watch -n 1 'ls @'", "watch"),
            ("parallel 'gzip @' ::: a b", "parallel"),
            ("env -S 'sh @'", "env"),
            ("sh -c 'echo \"@q\"'", "sh"),
            ("sh -c 'echo \\@q'", "sh"),
            ("ssh host sh -c \"'ls @q'\"", "ssh"),
            ("trap 'sh -c \"ls @q\"' EXIT", "trap"),
            ("bash -c 'echo `ls @q`'", "bash"),
            ("Rscript -e 'cat(\"@\")'", "Rscript"),
        ] {
            assert_eq!(inner(raw).map(|it| it.replace('`', "")).as_deref(), Some(program), "{raw}");
        }
    }

    #[test]
    fn values_that_are_arguments_or_data_are_let_through() {
        for raw in [
            "bash -c 'echo \"$1\"' _ @",
            "bash script.sh @",
            "bash script.sh -c @",
            "python3 train.py -c @",
            "python3 -m \"$MODULE\" -c @",
            "python3 -u train.py --code @ -c @",
            "python3 -m tool -c @",
            "python3 -c 'import sys; print(sys.argv[1])' @",
            "perl -ne 'print' @",
            "awk -v x=@ '{print x}' @",
            "awk -f prog.awk @",
            "sed -n 2p @",
            "sed --sandbox s/a/@/",
            "echo bash; cat @",
            "gcc -c @",
            "grep -c @ f",
            "echo eval; echo @",
            "cat @ | sh",
            "sh < @",
            "bash script.sh <<EOF\n@\nEOF",
            "python3 train.py <<EOF\n@\nEOF",
            "ssh host rm @q",
            "sh -c 'echo @q'",
            "sh -c 'echo \"a\" @q'",
            "sort <<EOF\n@\nEOF",
            "echo '@' | python3 train.py",
            "trap - EXIT; echo @",
            "sh -c 'echo $BATCHMILL_ITEM'",
        ] {
            assert_eq!(inner(raw), None, "{raw}");
        }
    }
}
