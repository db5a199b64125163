use super::super::spec::Spec;
use super::ignition::RESOURCE;
use super::{Field, Kind, Model, Struct};

pub(super) static STORAGE: Struct = Struct {
    model: Model::Storage,
    fields: &[
        Field::new("directories", Kind::StructList(&DIRECTORY)).shared("node"),
        Field::new("disks", Kind::StructList(&DISK)),
        Field::new("files", Kind::StructList(&FILE)).shared("node"),
        Field::new("filesystems", Kind::StructList(&FILESYSTEM)),
        Field::new("links", Kind::StructList(&LINK)).shared("node"),
        Field::new("luks", Kind::StructList(&LUKS)),
        Field::new("raid", Kind::StructList(&RAID)),
        Field::new("trees", Kind::StructList(&TREE)).sugar(),
    ],
};

pub(in super::super) static DIRECTORY: Struct = Struct {
    model: Model::Directory,
    fields: &[
        Field::new("group", Kind::Struct(&OWNER)),
        Field::new("overwrite", Kind::Flag),
        Field::new("path", Kind::Text).stated(),
        Field::new("user", Kind::Struct(&OWNER)),
        Field::new("mode", Kind::Int),
    ],
};

pub(in super::super) static FILE: Struct = Struct {
    model: Model::File,
    fields: &[
        Field::new("group", Kind::Struct(&OWNER)),
        Field::new("overwrite", Kind::Flag),
        Field::new("path", Kind::Text).stated(),
        Field::new("user", Kind::Struct(&OWNER)),
        Field::new("append", Kind::StructList(&RESOURCE)).repeatable(),
        Field::new("contents", Kind::Struct(&RESOURCE)),
        Field::new("mode", Kind::Int),
    ],
};

pub(in super::super) static LINK: Struct = Struct {
    model: Model::Link,
    fields: &[
        Field::new("group", Kind::Struct(&OWNER)),
        Field::new("overwrite", Kind::Flag),
        Field::new("path", Kind::Text).stated(),
        Field::new("user", Kind::Struct(&OWNER)),
        Field::new("hard", Kind::Flag),
        Field::new("target", Kind::Text),
    ],
};

static OWNER: Struct = Struct {
    model: Model::NodeOwner,
    fields: &[Field::new("id", Kind::Int), Field::new("name", Kind::Text)],
};

static TREE: Struct = Struct {
    model: Model::Tree,
    fields: &[
        Field::new("group", Kind::Struct(&OWNER)).since(Spec::V3_7Experimental),
        Field::new("local", Kind::Text).empty(),
        Field::new("path", Kind::Text),
        Field::new("user", Kind::Struct(&OWNER)).since(Spec::V3_7Experimental),
        Field::new("file_mode", Kind::Int).since(Spec::V3_7Experimental),
        Field::new("dir_mode", Kind::Int).since(Spec::V3_7Experimental),
    ],
};

static DISK: Struct = Struct {
    model: Model::Disk,
    fields: &[
        Field::new("device", Kind::Text).stated(),
        Field::new("partitions", Kind::StructList(&PARTITION)),
        Field::renamed("wipe_table", "wipeTable", Kind::Flag),
    ],
};

static PARTITION: Struct = Struct {
    model: Model::Partition,
    fields: &[
        Field::new("guid", Kind::Text),
        Field::new("label", Kind::Text),
        Field::new("number", Kind::Int).empty(),
        Field::new("resize", Kind::Flag),
        Field::renamed("should_exist", "shouldExist", Kind::Flag),
        Field::renamed("size_mib", "sizeMiB", Kind::Int),
        Field::renamed("start_mib", "startMiB", Kind::Int),
        Field::renamed("type_guid", "typeGuid", Kind::Text),
        Field::renamed("wipe_partition_entry", "wipePartitionEntry", Kind::Flag),
    ],
};

static FILESYSTEM: Struct = Struct {
    model: Model::Filesystem,
    fields: &[
        Field::new("device", Kind::Text).stated(),
        Field::new("format", Kind::Text),
        Field::new("label", Kind::Text),
        Field::renamed("mount_options", "mountOptions", Kind::TextList).repeatable(),
        Field::new("options", Kind::TextList).repeatable(),
        Field::new("path", Kind::Text),
        Field::new("uuid", Kind::Text),
        Field::renamed("wipe_filesystem", "wipeFilesystem", Kind::Flag),
        Field::new("with_mount_unit", Kind::Flag).sugar(),
    ],
};

static RAID: Struct = Struct {
    model: Model::Raid,
    fields: &[
        Field::new("devices", Kind::TextList),
        Field::new("level", Kind::Text),
        Field::new("name", Kind::Text).stated(),
        Field::new("options", Kind::TextList).repeatable(),
        Field::new("spares", Kind::Int),
    ],
};

static LUKS: Struct = Struct {
    model: Model::Luks,
    fields: &[
        Field::new("cex", Kind::Struct(&CEX)).since(Spec::V3_7Experimental),
        Field::new("clevis", Kind::Struct(&CLEVIS)),
        Field::new("device", Kind::Text),
        Field::new("discard", Kind::Flag).since(Spec::V3_4),
        Field::renamed("key_file", "keyFile", Kind::Struct(&RESOURCE)),
        Field::new("label", Kind::Text),
        Field::new("name", Kind::Text).stated(),
        Field::renamed("open_options", "openOptions", Kind::TextList).since(Spec::V3_4).repeatable(),
        Field::new("options", Kind::TextList).repeatable(),
        Field::new("uuid", Kind::Text),
        Field::renamed("wipe_volume", "wipeVolume", Kind::Flag),
    ],
};

static CEX: Struct = Struct { model: Model::Plain, fields: &[Field::new("enabled", Kind::Flag)] };

static CLEVIS: Struct = Struct {
    model: Model::Clevis,
    fields: &[
        Field::new("custom", Kind::Struct(&CLEVIS_CUSTOM)),
        Field::new("tang", Kind::StructList(&TANG)),
        Field::new("threshold", Kind::Int),
        Field::new("tpm2", Kind::Flag),
    ],
};

static CLEVIS_CUSTOM: Struct = Struct {
    model: Model::ClevisCustom,
    fields: &[
        Field::new("config", Kind::Text),
        Field::renamed("needs_network", "needsNetwork", Kind::Flag),
        Field::new("pin", Kind::Text),
    ],
};

static TANG: Struct = Struct {
    model: Model::Tang,
    fields: &[
        Field::new("thumbprint", Kind::Text),
        Field::new("url", Kind::Text).empty(),
        Field::new("advertisement", Kind::Text).since(Spec::V3_4),
    ],
};
