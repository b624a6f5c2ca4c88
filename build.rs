//! Gives `batchmill-python` the run path of the libpython it is linked with, `batchmill` the version of it, and the worker its
//! Python half, compiled.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "python")]
    {
        pyo3_build_config::add_libpython_rpath_link_args();
        println!("cargo::rustc-env=BATCHMILL_CPYTHON={}", pyo3_build_config::get().version());
        python_half::compile();
    }
}

#[cfg(feature = "python")]
mod python_half {
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::{env, fs};

    const FOLDER: &str = "src/worker/python";

    /// Prints nothing; writes the version of the bytecode and then the code.
    const COMPILE: &str = "
import importlib.util, marshal, sys
source, name, target = sys.argv[1:]
with open(source, encoding='utf-8') as file:
    code = compile(file.read(), name, 'exec', dont_inherit=True, optimize=0)
with open(target, 'wb') as file:
    file.write(importlib.util.MAGIC_NUMBER + marshal.dumps(code))
";

    /// Writes a file of bytecode for each file of source; an empty one where the worker is to compile it at its start: in the
    /// wheel, which is for many versions, and where the interpreter cannot be run here.
    pub(super) fn compile() {
        println!("cargo::rerun-if-changed={FOLDER}");
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
        let interpreter = pyo3_build_config::get().executable().filter(|_| env::var_os("CARGO_FEATURE_ABI3").is_none());
        for entry in fs::read_dir(FOLDER).expect("the folder is part of the package") {
            let source = entry.expect("the folder can be read").path();
            if source.extension().is_some_and(|extension| extension == "py") {
                let name = source.file_stem().expect("it has a name").to_string_lossy().into_owned();
                let target = out.join(format!("{name}.code"));
                if let Some(interpreter) = interpreter {
                    if compiles(interpreter, &source, &name, &target) {
                        continue;
                    }
                    println!("cargo::warning=`{interpreter}` cannot compile {}: workers will", source.display());
                }
                fs::write(&target, []).expect("cargo's folder can be written to");
            }
        }
    }

    fn compiles(interpreter: &str, source: &Path, name: &str, target: &Path) -> bool {
        let mut python = Command::new(interpreter);
        // Isolated and without `site`: nothing of the user's is to run here.
        python.args(["-I", "-S", "-c", COMPILE]).arg(source).arg(format!("<batchmill {name}>")).arg(target);
        python.status().is_ok_and(|status| status.success())
    }
}
