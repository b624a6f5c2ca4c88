//! The sound part of a task: if a template of it does not compile, the rest is checked without it, so that all errors of a file
//! are found at once.

use crate::model::{Text, Tree};
use crate::spec::{Auth, Command, HttpTask, PythonProgram, PythonTask, RequestBody, ShellTask, Stdin, Task, TaskKind};
use crate::task::Program;
use crate::template::Template;
use std::path::Path;

/// The task without what does not compile in it. Never run, only checked.
pub(super) fn sound(task: &Task, folder: &Path) -> Task {
    let compiles = |kind: TaskKind| Program::compile(&Task { kind, ..task.clone() }, folder).is_ok();
    let kind = match &task.kind {
        TaskKind::Shell(shell) => TaskKind::Shell(sound_shell(shell, compiles)),
        TaskKind::Python(python) => TaskKind::Python(sound_python(python, folder)),
        TaskKind::Http(http) => TaskKind::Http(Box::new(sound_http(http))),
        TaskKind::Echo(echo) => {
            let mut echo = echo.clone();
            mend(&mut echo.message);
            TaskKind::Echo(echo)
        }
    };
    Task { span: task.span, kind }
}

/// Python code without the inputs that do not compile, and without a script that cannot be read.
pub(super) fn sound_python(task: &PythonTask, folder: &Path) -> PythonTask {
    let mut sound = task.clone();
    mend_pairs(&mut sound.inputs);
    if let PythonProgram::Script(name) = &task.program
        && !folder.join(&name.raw).is_file()
    {
        sound.program = PythonProgram::Code(Text { raw: "pass".to_owned(), span: name.span });
    }
    sound
}

fn sound_shell(task: &ShellTask, compiles: impl Fn(TaskKind) -> bool) -> ShellTask {
    let command =
        |command: Command| ShellTask { command, working_dir: None, env: Vec::new(), stdin: None, ..task.clone() };
    let mut sound = task.clone();
    match &mut sound.command {
        line @ Command::Line(_) if !compiles(TaskKind::Shell(command(line.clone()))) => {
            // As a word it needs no quotes, so whatever is wrong with them does not hide its names.
            if let Command::Line(text) = line {
                mend_text(text);
                *line = Command::Argv(vec![Text::new(":"), text.clone()]);
            }
        }
        Command::Line(_) => {}
        Command::Argv(words) if !compiles(TaskKind::Shell(command(Command::Argv(words.clone())))) => {
            words.iter_mut().for_each(mend_text);
            words.insert(0, Text::new(":"));
        }
        Command::Argv(_) => {}
    }
    sound.working_dir.iter_mut().for_each(mend_text);
    mend_pairs(&mut sound.env);
    if let Some(Stdin::Text(tree)) = &mut sound.stdin {
        mend(tree);
    }
    sound
}

fn sound_http(task: &HttpTask) -> HttpTask {
    let mut sound = task.clone();
    let HttpTask { url, method, headers, params, body, auth, response, tls, .. } = &mut sound;
    let texts = [method, &mut response.save_to, &mut tls.ca_file, &mut tls.client_cert, &mut tls.client_key];
    [url].into_iter().chain(texts.into_iter().flatten()).for_each(mend_text);
    [headers, params].into_iter().for_each(|pairs| mend_pairs(pairs));
    match body {
        RequestBody::None => {}
        RequestBody::Json(tree) => mend(tree),
        RequestBody::Text(text) => mend_text(text),
        RequestBody::Form(fields) => mend_pairs(fields),
        RequestBody::Multipart { fields, files } => [fields, files].into_iter().for_each(|pairs| mend_pairs(pairs)),
    }
    match auth {
        Some(Auth::Basic { username, password }) => [username, password].into_iter().for_each(mend_text),
        Some(Auth::Bearer(token)) => mend_text(token),
        None => {}
    }
    sound
}

fn mend_pairs(pairs: &mut [(String, Tree)]) {
    pairs.iter_mut().for_each(|(_, tree)| mend(tree));
}

/// Empties the strings that do not compile.
fn mend(tree: &mut Tree) {
    match tree {
        Tree::Null | Tree::Bool(_) | Tree::Number(_) => {}
        Tree::Text(text) => mend_text(text),
        Tree::List(list) => list.iter_mut().for_each(mend),
        Tree::Map(pairs) => mend_pairs(pairs),
    }
}

fn mend_text(text: &mut Text) {
    if Template::compile(text).is_err() {
        text.raw.clear();
    }
}
