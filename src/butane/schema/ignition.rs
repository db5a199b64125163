//! The config itself, its `ignition` section, and the resources that all sections fetch.

use super::passwd::PASSWD;
use super::storage::STORAGE;
use super::systemd::SYSTEMD;
use super::{Field, Kind, Model, Struct};

pub(in super::super) static CONFIG: Struct = Struct {
    model: Model::Config,
    fields: &[
        Field::new("version", Kind::Text).sugar().empty(),
        Field::new("variant", Kind::Text).sugar().empty(),
        Field::new("ignition", Kind::Struct(&IGNITION)),
        Field::renamed("kernel_arguments", "kernelArguments", Kind::Struct(&KERNEL_ARGUMENTS)),
        Field::new("passwd", Kind::Struct(&PASSWD)),
        Field::new("storage", Kind::Struct(&STORAGE)),
        Field::new("systemd", Kind::Struct(&SYSTEMD)),
    ],
};

static IGNITION: Struct = Struct {
    model: Model::Ignition,
    fields: &[
        Field::new("config", Kind::Struct(&IGNITION_CONFIG)),
        Field::new("proxy", Kind::Struct(&PROXY)),
        Field::new("security", Kind::Struct(&SECURITY)),
        Field::new("timeouts", Kind::Struct(&TIMEOUTS)),
        // Not a key of Butane's, which is why it has a name there that no key can have.
        Field::renamed("", "version", Kind::Text).stated(),
    ],
};

static IGNITION_CONFIG: Struct = Struct {
    model: Model::IgnitionConfig,
    fields: &[
        Field::new("merge", Kind::StructList(&RESOURCE)),
        Field::new("replace", Kind::Struct(&RESOURCE)),
    ],
};

static PROXY: Struct = Struct {
    model: Model::Proxy,
    fields: &[
        Field::renamed("http_proxy", "httpProxy", Kind::Text),
        Field::renamed("https_proxy", "httpsProxy", Kind::Text),
        Field::renamed("no_proxy", "noProxy", Kind::TextList),
    ],
};

static SECURITY: Struct = Struct { model: Model::Plain, fields: &[Field::new("tls", Kind::Struct(&TLS))] };

static TLS: Struct = Struct {
    model: Model::Tls,
    fields: &[Field::renamed(
        "certificate_authorities",
        "certificateAuthorities",
        Kind::StructList(&RESOURCE),
    )],
};

static TIMEOUTS: Struct = Struct {
    model: Model::Plain,
    fields: &[
        Field::renamed("http_response_headers", "httpResponseHeaders", Kind::Int),
        Field::renamed("http_total", "httpTotal", Kind::Int),
    ],
};

static KERNEL_ARGUMENTS: Struct = Struct {
    model: Model::Plain,
    fields: &[
        Field::renamed("should_exist", "shouldExist", Kind::TextList).shared("argument"),
        Field::renamed("should_not_exist", "shouldNotExist", Kind::TextList).shared("argument"),
    ],
};

pub(super) static RESOURCE: Struct = Struct {
    model: Model::Resource,
    fields: &[
        Field::new("compression", Kind::Text),
        Field::renamed("http_headers", "httpHeaders", Kind::StructList(&HTTP_HEADER)),
        Field::new("source", Kind::Text),
        Field::new("inline", Kind::Text).sugar(),
        Field::new("local", Kind::Text).sugar(),
        Field::new("verification", Kind::Struct(&VERIFICATION)),
    ],
};

static HTTP_HEADER: Struct = Struct {
    model: Model::HttpHeader,
    fields: &[Field::new("name", Kind::Text).stated(), Field::new("value", Kind::Text)],
};

static VERIFICATION: Struct =
    Struct { model: Model::Verification, fields: &[Field::new("hash", Kind::Text)] };
