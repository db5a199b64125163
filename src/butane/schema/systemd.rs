use super::super::spec::Spec;
use super::{Field, Kind, Model, Struct};

pub(super) static SYSTEMD: Struct = Struct {
    model: Model::Systemd,
    fields: &[
        Field::new("units", Kind::StructList(&UNIT)),
        Field::new("quadlets", Kind::StructList(&QUADLET)).since(Spec::V3_7Experimental).sugar(),
    ],
};

pub(in super::super) static UNIT: Struct = Struct {
    model: Model::Unit,
    fields: &[
        Field::new("contents", Kind::Text),
        Field::new("contents_local", Kind::Text).since(Spec::V3_4).sugar(),
        Field::new("dropins", Kind::StructList(&DROPIN)),
        Field::new("enabled", Kind::Flag),
        Field::new("mask", Kind::Flag),
        Field::new("name", Kind::Text).stated(),
    ],
};

static DROPIN: Struct = Struct {
    model: Model::Dropin,
    fields: &[
        Field::new("contents", Kind::Text),
        Field::new("contents_local", Kind::Text).since(Spec::V3_4).sugar(),
        Field::new("name", Kind::Text).stated(),
    ],
};

static QUADLET: Struct = Struct {
    model: Model::Quadlet,
    fields: &[
        Field::new("contents", Kind::Text),
        Field::new("contents_local", Kind::Text),
        Field::new("name", Kind::Text).empty(),
        Field::new("rootful", Kind::Flag).empty(),
    ],
};
