use super::super::spec::Spec;
use super::{Field, Kind, Model, Struct};

pub(super) static PASSWD: Struct = Struct {
    model: Model::Plain,
    fields: &[Field::new("groups", Kind::StructList(&GROUP)), Field::new("users", Kind::StructList(&USER))],
};

static GROUP: Struct = Struct {
    model: Model::PasswdGroup,
    fields: &[
        Field::new("gid", Kind::Int),
        Field::new("name", Kind::Text).stated(),
        Field::renamed("password_hash", "passwordHash", Kind::Text),
        Field::renamed("should_exist", "shouldExist", Kind::Flag),
        Field::new("system", Kind::Flag),
    ],
};

static USER: Struct = Struct {
    model: Model::PasswdUser,
    fields: &[
        Field::new("gecos", Kind::Text),
        Field::new("groups", Kind::TextList),
        Field::renamed("home_dir", "homeDir", Kind::Text),
        Field::new("name", Kind::Text).stated(),
        Field::renamed("no_create_home", "noCreateHome", Kind::Flag),
        Field::renamed("no_log_init", "noLogInit", Kind::Flag),
        Field::renamed("no_user_group", "noUserGroup", Kind::Flag),
        Field::renamed("password_hash", "passwordHash", Kind::Text),
        Field::renamed("primary_group", "primaryGroup", Kind::Text),
        Field::renamed("should_exist", "shouldExist", Kind::Flag),
        Field::renamed("ssh_authorized_keys", "sshAuthorizedKeys", Kind::TextList),
        Field::new("ssh_authorized_keys_local", Kind::TextList).since(Spec::V3_4).sugar(),
        Field::new("shell", Kind::Text),
        Field::new("system", Kind::Flag),
        Field::new("uid", Kind::Int),
    ],
};
