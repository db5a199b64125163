//! `fleet.yaml`, with a Compose file and an env file beside it.
#![no_main]

use std::io;
use std::path::Path;

use fleet::config::{Files, parse};
use libfuzzer_sys::fuzz_target;

/// Every file that a config names is there, and is what its name says.
struct Beside;

impl Files for Beside {
    fn read(&self, path: &Path) -> io::Result<String> {
        let name = path.to_string_lossy();
        if name.len() > 40 {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        Ok(if name.contains("env") {
            "A=1\nB=\"two\nlines\"\nC=${A}\n".to_owned()
        } else if name.ends_with(".bu") {
            "variant: flatcar\nversion: 1.0.0\n".to_owned()
        } else {
            "services: {web: {image: a, env_file: env, ports: ['80:80']}}\nvolumes: {data: {}}\n".to_owned()
        })
    }
}

fuzz_target!(|text: &str| {
    match parse(text, "fleet.yaml", &Beside) {
        Ok((_, warnings, _)) => assert!(warnings.iter().all(|problem| problem.line > 0)),
        Err(problems) => {
            assert!(!problems.0.is_empty(), "no config, and nothing that says why");
            assert!(problems.0.iter().all(|problem| problem.line > 0 && problem.column > 0));
            problems.drawn().to_string();
        }
    }
});
