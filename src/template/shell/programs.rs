//! Programs that run a text as code: shells, script languages, and programs that hand a command line to a shell.

/// A program that runs code.
pub(super) struct Program {
    /// What it is called, without a version.
    pub names: &'static [&'static str],
    /// Where its code is.
    pub code: Code,
    /// Letters of the options that have a value.
    pub with_value: &'static str,
    /// The letter of the option that names what to run instead of code.
    pub module: Option<char>,
    /// Long options that have a value, without the dashes.
    pub long_with_value: &'static [&'static str],
    /// Whether it runs what it reads from its input, if nothing else says what to run.
    pub runs_input: bool,
    /// Whether the code is that of a shell, for which a value can be quoted.
    pub is_shell: bool,
}

/// Where a program's code is.
pub(super) enum Code {
    /// The first argument that is not an option, if there is an option with this letter.
    OperandIf(char),
    /// The value of options with these letters or these long names.
    Options(&'static str, &'static [&'static str]),
    /// The first argument that is not an option, unless there is an option with one of these letters.
    Operand(&'static str),
    /// All arguments after the first few that are not options.
    Operands(usize),
    /// All arguments.
    All,
    /// No argument, but the file that it names.
    File,
}

const fn shell(names: &'static [&'static str], with_value: &'static str) -> Program {
    let long_with_value = &["rcfile", "init-file"];
    let code = Code::OperandIf('c');
    Program { names, code, with_value, module: None, long_with_value, runs_input: true, is_shell: true }
}

/// A program whose options hand a command line to a shell.
const fn starter(names: &'static [&'static str], code: Code, with_value: &'static str) -> Program {
    Program { names, code, with_value, module: None, long_with_value: &[], runs_input: false, is_shell: true }
}

const fn language(names: &'static [&'static str], code: Code, with_value: &'static str) -> Program {
    Program { names, code, with_value, module: None, long_with_value: &[], runs_input: true, is_shell: false }
}

/// All of them.
pub(super) const PROGRAMS: &[Program] = &[
    shell(&["sh", "bash", "rbash", "dash", "ash", "zsh", "ksh", "mksh", "yash"], "oO"),
    shell(&["fish"], "CdDfo"),
    starter(&["eval"], Code::All, ""),
    starter(&["trap"], Code::Operand(""), ""),
    starter(&["su", "runuser"], Code::Options("c", &["command", "session-command"]), "gGsTw"),
    starter(&["flock", "script"], Code::Options("c", &["command"]), "wEBIOTmo"),
    starter(&["env"], Code::Options("S", &["split-string"]), "uC"),
    starter(&["expect"], Code::Options("c", &[]), ""),
    starter(&["watch"], Code::Operands(0), "nqs"),
    starter(&["parallel", "sem", "hyperfine"], Code::Operands(0), "jaInNdDEPSlLrwM"),
    Program { runs_input: true, ..starter(&["ssh"], Code::Operands(1), "BbcDEeFIiJLlmOopQRSWw") },
    Program { runs_input: true, ..starter(&["source", "."], Code::File, "") },
    Program { module: Some('m'), ..language(&["python", "pypy", "ipython"], Code::Options("c", &[]), "WXQ") },
    language(&["perl"], Code::Options("eE", &[]), "IMm"),
    language(&["ruby"], Code::Options("e", &[]), "CEIrFx"),
    language(&["node", "nodejs", "bun", "deno"], Code::Options("ep", &["eval", "print"]), "rC"),
    language(&["php"], Code::Options("rBRE", &["run", "process-begin", "process-code", "process-end"]), "cdfzSt"),
    language(
        &["lua", "luajit", "julia", "R", "Rscript", "elixir", "scala", "ghc", "raku"],
        Code::Options("eE", &["eval"]),
        "lpi",
    ),
    language(&["awk", "gawk", "mawk", "nawk"], Code::Operand("fE"), "FvWi"),
    // GNU sed has commands that start programs and write files, but for `--sandbox`.
    language(&["sed", "gsed"], Code::Operand("fe"), "l"),
    language(&["sed", "gsed"], Code::Options("e", &["expression"]), "fl"),
    language(&["gawk"], Code::Options("e", &["source"]), "fFvWi"),
];
