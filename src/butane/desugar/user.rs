use super::super::value::{Obj, Value};
use super::place::Place;
use super::{Context, NO_FILES_DIR, to_text};

/// The lines of `ssh_authorized_keys_local` files become keys, after those that are given as such.
pub(super) fn desugar(user: &mut Obj, place: &Place, context: &mut Context<'_>) {
    let Some(Value::TextList(locals)) = user.take("ssh_authorized_keys_local") else { return };
    if locals.is_empty() {
        return;
    }
    let from = place.butane.join("ssh_authorized_keys_local");
    let to = place.ignition.join("sshAuthorizedKeys");
    context.origins.add(from.clone(), to.clone());
    if context.files.is_none() {
        context.findings.error(from, NO_FILES_DIR);
        return;
    }
    let mut keys = user.texts("sshAuthorizedKeys").to_vec();
    for (i, local) in locals.iter().enumerate() {
        let Some(content) = context.read(local, &from.join(i)) else { continue };
        let text = to_text(&content);
        for line in text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)) {
            if !line.is_empty() {
                context.origins.add(from.join(i), to.join(keys.len()));
                keys.push(line.to_owned());
            }
        }
    }
    user.set("sshAuthorizedKeys", Value::TextList(keys));
}
