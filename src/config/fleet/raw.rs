use super::super::decode::{Int, Named, OneOf, Text, object};
use super::super::model::{OnFailure, Order, ProviderKind, Strategy};
use super::super::service::Services;
use super::super::value::{Hosts, PublicKey, Span};
use super::allow::RawAllowed;
use super::aws::RawAws;
use super::groups::Address;
use super::hooks::RawHooks;
use super::secrets::RawSecret;
use super::settings::{Channel, FleetName, Reboot, UrlPath, Version};
use super::state::RawState;
use super::window::WindowStart;

object! {
    /// A fleet of hosts that all run the same services: `fleet.yaml`.
    #[schemars(rename = "Fleet")]
    RawFleet {
        /// Names hosts, networks and tags: 1 to 32 of a-z 0-9 -, starting with a letter. Required.
        #[schemars(required)]
        name: FleetName,
        /// Where hosts come from: containers on this machine, or EC2.
        #[schemars(extend("default" = "local"))]
        provider: OneOf<ProviderKind>,
        /// How many hosts, where there are no `groups`.
        #[schemars(extend("default" = 1))]
        count: Count,
        /// A Compose file whose services the hosts run, relative to this file.
        compose: Text,
        /// Services in the words of the Compose specification, beside those of `compose`.
        services: Services,
        /// Where the secrets come from that services name.
        secrets: Named<RawSecret>,
        /// Hosts that run different services. Without it, `count` hosts run every service.
        groups: Named<RawGroup>,
        /// When a host counts as healthy.
        health: RawHealth,
        /// How a roll proceeds.
        roll: RawRoll,
        /// Which Flatcar, and who reboots it.
        os: RawOs,
        /// Butane files of your own, relative to this file, merged in this order.
        butane: Vec<Text>,
        /// Access for people.
        ssh: RawSsh,
        /// The folder for the journal and the releases, relative to this file.
        #[schemars(extend("default" = ".fleet"))]
        state: RawState,
        /// Settings of the local provider.
        local: RawLocal,
        /// Settings of EC2.
        aws: RawAws,
        /// Commands that run on this machine when a host is taken out and put back.
        hooks: RawHooks,
        /// Values that look like credentials and are none, each with the reason.
        allow: Vec<RawAllowed>,
    }
}

/// A number of hosts.
pub(crate) type Count = Int<0, 1000>;

object! {
    /// Hosts that run the same services.
    #[schemars(rename = "Group")]
    RawGroup {
        /// How many hosts the group has.
        #[schemars(extend("default" = 1))]
        count: Count,
        /// The services that each of its hosts runs; all of them when absent.
        services: Vec<Text>,
        /// Fixed private addresses of its hosts on EC2, in the order of their numbers; at least `count`.
        addresses: Vec<Address>,
    }
}

object! {
    /// When a host counts as healthy. Without `http`, running containers and their own health checks decide.
    #[schemars(rename = "Health")]
    RawHealth {
        /// The request that decides.
        http: RawHttp,
        /// Time between two probes.
        #[schemars(extend("default" = "2s"))]
        interval: Span,
        /// Time after which a probe has failed.
        #[schemars(extend("default" = "5s"))]
        timeout: Span,
        /// Expected answers in a row until a host is healthy.
        #[schemars(extend("default" = 3))]
        successes: Int<1, 1000>,
        /// Time without a restart until a host is healthy.
        #[schemars(extend("default" = "10s"))]
        min_healthy: Span,
        /// Time after which a host that is not healthy has failed.
        #[schemars(extend("default" = "5m"))]
        deadline: Span,
    }
}

object! {
    /// An HTTP request sent to each host.
    #[schemars(rename = "HttpHealth")]
    RawHttp {
        /// The service that answers. May be absent where there is only one service.
        service: Text,
        /// Path and query.
        #[schemars(extend("default" = "/"))]
        path: UrlPath,
        /// The port on the host, where the service publishes several; its first TCP port when absent.
        port: Int<1, 65535>,
        /// The one status that counts as a success.
        #[schemars(extend("default" = 200))]
        status: Int<200, 599>,
    }
}

object! {
    /// How a roll proceeds.
    #[schemars(rename = "Roll")]
    RawRoll {
        /// Change hosts in place or replace them; `auto` changes in place where that is possible.
        #[schemars(extend("default" = "auto"))]
        strategy: OneOf<Strategy>,
        /// How many hosts of a group may be out at once. With 0, hosts are replaced, never changed in place.
        #[schemars(extend("default" = 1))]
        max_unavailable: Hosts,
        /// How many hosts above `count` may exist during a replace.
        #[schemars(extend("default" = 1))]
        surge: Count,
        /// Which of the hosts that may be worked on goes first: the lowest number, or zone by zone.
        #[schemars(extend("default" = "number"))]
        order: OneOf<Order>,
        /// How many hosts of a group have the release before the next wave begins, ascending, such as `[1, 5%, 25%]`.
        waves: Vec<Hosts>,
        /// How long the hosts of a wave must serve before the next one begins.
        #[schemars(extend("default" = "0s"))]
        soak: Span,
        /// How many hosts of a group a roll may leave behind because they cannot be worked on.
        #[schemars(extend("default" = 0))]
        max_skipped: Hosts,
        /// How long connections get to end after a host is taken out.
        #[schemars(extend("default" = "30s"))]
        drain: Span,
        /// How long a host may take to pull the images.
        #[schemars(extend("default" = "10m"))]
        pull_deadline: Span,
        /// How long a host may stay in one phase without progress.
        #[schemars(extend("default" = "10m"))]
        progress_deadline: Span,
        /// What happens when a host fails: put the previous release back, or stop there.
        #[schemars(extend("default" = "rollback"))]
        on_failure: OneOf<OnFailure>,
    }
}

object! {
    /// Which Flatcar, and who reboots it.
    #[schemars(rename = "Os")]
    RawOs {
        /// The release channel.
        #[schemars(extend("default" = "stable"))]
        channel: OneOf<Channel>,
        /// A version such as 4230.2.3, or `current`.
        #[schemars(extend("default" = "current"))]
        version: Version,
        /// `off`: only fleet reboots hosts. Else a REBOOT_STRATEGY of Flatcar.
        #[schemars(extend("default" = "off"))]
        reboot: OneOf<Reboot>,
        /// When hosts may reboot by themselves; only where `reboot` is not `off`.
        window: RawWindow,
    }
}

object! {
    /// A reboot window of locksmith. Both keys are required.
    #[schemars(rename = "RebootWindow")]
    RawWindow {
        /// `04:00` every day, or `Thu 04:00` once a week, on the host's clock.
        start: WindowStart,
        /// How long it lasts: less than the time from one start to the next.
        length: Span,
    }
}

object! {
    /// Access for people.
    #[schemars(rename = "Ssh")]
    RawSsh {
        /// Public keys of the user `core`, one line each.
        authorized_keys: Vec<PublicKey>,
    }
}

object! {
    /// Settings of the local provider.
    #[schemars(rename = "Local")]
    RawLocal {
        /// The port of the load balancer on 127.0.0.1.
        #[schemars(extend("default" = 8080))]
        port: Int<1, 65535>,
    }
}
