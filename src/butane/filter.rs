//! What Flatcar's initrd cannot do, although the Ignition spec can say it.

use super::path::Path;
use super::report::Findings;
use super::spec::Spec;
use super::value::Obj;

pub(super) fn check(config: &Obj, spec: Spec) -> Findings {
    let (key, fault) = match spec {
        Spec::V3_3 | Spec::V3_4 => ("clevis", "clevis is not supported in this spec version"),
        Spec::V3_7Experimental => ("cex", "cex is not supported on Flatcar"),
    };
    let mut findings = Findings::default();
    for (i, luks) in config.obj("storage").objs("luks").iter().enumerate() {
        if !luks.obj(key).is_empty() {
            findings.error(Path::key("storage").join("luks").join(i).join(key), fault);
        }
    }
    findings
}
