//! A host whose port is mirrored over a wire to where sealwatch listens, as the README tells it.

use super::wire::{Wire, command_in, ip, tc};
use std::process::Command;

/// A server at the wire's far end, and a client of it in a third namespace: `eth1` leads from the
/// one, 198.51.100.1, to the other.
pub struct Mirrored<'w> {
    wire: &'w Wire,
    client: String,
}

impl<'w> Mirrored<'w> {
    pub fn new(wire: &'w Wire) -> Self {
        let client = format!("{}-client", wire.far);
        ip(&["netns", "add", &client]);
        let mirrored = Self { wire, client };
        let host = &wire.far;
        let peer = ["peer", "name", "eth0", "netns", &mirrored.client];
        ip(&[&["link", "add", "eth1", "netns", host, "type", "veth"][..], &peer].concat());
        for (space, end, address) in
            [(host, "eth1", "198.51.100.1/24"), (&mirrored.client, "eth0", "198.51.100.2/24")]
        {
            ip(&["-n", space, "address", "add", address, "dev", end]);
            ip(&["-n", space, "link", "set", end, "up"]);
        }
        mirrored
    }

    /// Mirrors what goes in and out at `eth1` to another interface.
    pub fn to(&self, interface: &str) {
        let host = &self.wire.far;
        tc(&["-n", host, "qdisc", "add", "dev", "eth1", "clsact"]);
        for direction in ["ingress", "egress"] {
            // `matchall` does the same where the kernel has it; this, every kernel has.
            let every = ["protocol", "all", "u32", "match", "u32", "0", "0"];
            let mirror = ["action", "mirred", "egress", "mirror", "dev", interface];
            let at = ["-n", host, "filter", "add", "dev", "eth1", direction];
            tc(&[&at[..], &every, &mirror].concat());
        }
    }

    /// Mirrors it through a VXLAN to the wire's near end, with frames of so many bytes around.
    pub fn through_vxlan(&self, mtu: &str) {
        let host = &self.wire.far;
        ip(&["-n", host, "link", "set", "far", "mtu", mtu]);
        ip(&["-n", &self.wire.near, "link", "set", "tap", "mtu", mtu]);
        let ends = ["local", "192.0.2.2", "remote", "192.0.2.1", "dstport", "4789"];
        let link = ["-n", host, "link", "add", "mirror", "type", "vxlan", "id", "42"];
        ip(&[&link[..], &ends].concat());
        ip(&["-n", host, "link", "set", "mirror", "up"]);
        self.to("mirror");
    }

    /// A command at the client's end.
    pub fn client(&self, program: &str) -> Command {
        command_in(&self.client, program)
    }
}

impl Drop for Mirrored<'_> {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.client]).status();
    }
}
