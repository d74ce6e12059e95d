//! One generation of a view of the zone: immutable, looked up by every packet thread.
//!
//! Rules:
//! 1. A snapshot never changes. The next one shares with it everything that an update does not touch, so that a publish costs by what
//!    changed and not by the size of the zone.
//! 2. What an update brings is checked, because what stands in a snapshot is trusted on the packet threads.
//! 3. A name exists if it has a node, or names a namespace that holds an import (an empty non-terminal, RFC 8020).
//!
//! Not here: how one generation follows another (`view`).

use std::sync::Arc;

use imbl::shared_ptr::ArcK;

use crate::name;
use crate::names::{Likely, Names, Node};
use crate::rrset::{Nodes, Records, write};

type Map<K, V> = imbl::GenericHashMap<K, V, foldhash::fast::RandomState, ArcK>;

/// The label above the namespaces.
const SVC: &[u8] = b"\x03svc";

/// One change of a view, taken over as a whole (`mcsdns.zone.rrset.Update`).
#[derive(Debug)]
pub struct Update<B> {
    /// Every member cluster has been heard. While it is false, a name that is not found is SERVFAIL.
    pub complete: bool,
    /// The zone's name: the same in every update of a view.
    pub zone: B,
    /// The SOA that negative answers carry: one record.
    pub soa: Records<B>,
    /// What the zone holds beside services; replaces the last one.
    pub apex: Nodes<B>,
    /// What replaces services.
    pub services: Services<B>,
}

/// By owner name: what replaces the service, or None where it is gone.
pub type Services<B> = Vec<(B, Option<Nodes<B>>)>;

/// What is wrong with an update: a defect of what built it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// An owner name is no name in wire format.
    Name,
    /// The owner of a service does not stand two labels below `svc.<zone>`.
    Owner,
    /// RDATA of more than 65,535 octets.
    Rdata,
    /// The SOA is not one record.
    Soa,
    /// The zone is another one than before, or a name of the apex is outside it or where services are.
    Apex,
    /// Services were staged before anything was published.
    Early,
}

impl std::fmt::Display for Defect {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        out.write_str(match self {
            Self::Name => "expected owner names in wire format",
            Self::Owner => "expected services two labels below svc.<zone>",
            Self::Rdata => "expected RDATA of at most 65535 octets",
            Self::Soa => "expected one SOA record",
            Self::Apex => "expected the names of the apex in the zone, above its services",
            Self::Early => "expected a first update before services are staged",
        })
    }
}

/// What is found under a name of the zone.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// The name does not exist.
    Nothing,
    /// It exists, with these RRsets or none.
    Node(Node<'a>),
}

/// Where in the zone a name stands.
enum Place<'a> {
    /// At or below the owner name of a service: that name, and the labels before it.
    Service(&'a [u8], &'a [u8]),
    /// Anywhere else: the labels before the zone's name.
    Other(&'a [u8]),
}

/// One generation of a view.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// As in `Update`.
    pub complete: bool,
    /// The name of the zone.
    pub zone: Arc<[u8]>,
    /// The SOA record of negative answers, behind its owner name.
    pub soa: Arc<[u8]>,
    apex: Names,
    services: Map<Names, ()>,
    /// How many services each namespace has; the names of namespaces without the zone's.
    namespaces: Map<Arc<[u8]>, u32>,
}

impl Snapshot {
    /// Make the first generation.
    pub(crate) fn first<B: AsRef<[u8]>>(update: &Update<B>) -> Result<Self, Defect> {
        let zone = update.zone.as_ref();
        if !name::is_well_formed(zone) || zone.len() < 2 {
            return Err(Defect::Name);
        }
        let apex = Names::new(zone, &update.apex)?;
        let (services, namespaces) = (Map::default(), Map::default());
        let mut first = Self { complete: false, zone: zone.into(), soa: Arc::default(), apex, services, namespaces };
        first.change(update)?;
        Ok(first)
    }

    /// Take an update in, before anybody reads this generation. After an error it must not be read.
    pub(crate) fn change<B: AsRef<[u8]>>(&mut self, update: &Update<B>) -> Result<(), Defect> {
        let [soa] = update.soa.rdata.as_slice() else {
            return Err(Defect::Soa);
        };
        let mut octets = Vec::new();
        write(&[], &update.soa, soa.as_ref(), &mut octets);
        self.soa = octets.into();
        self.complete = update.complete;
        if update.zone.as_ref() != &*self.zone || !update.apex.iter().all(|(name, _)| self.is_apex(name.as_ref())) {
            return Err(Defect::Apex);
        }
        self.apex = Names::new(&self.zone, &update.apex)?;
        self.replace(&update.services)
    }

    /// Take services in, as `change` does.
    pub(crate) fn replace<B: AsRef<[u8]>>(&mut self, services: &Services<B>) -> Result<(), Defect> {
        services.iter().try_for_each(|(owner, nodes)| self.replace_one(owner.as_ref(), nodes.as_ref()))
    }

    fn is_apex(&self, name: &[u8]) -> bool {
        name::is_well_formed(name) && matches!(self.place(name), Some(Place::Other(_)))
    }

    fn replace_one<B: AsRef<[u8]>>(&mut self, owner: &[u8], nodes: Option<&Nodes<B>>) -> Result<(), Defect> {
        let is_owner = name::is_well_formed(owner) && matches!(self.place(owner), Some(Place::Service(_, [])));
        let namespace = name::suffixes(owner).nth(1).filter(|_| is_owner).ok_or(Defect::Owner)?;
        let namespace = namespace.get(..namespace.len() - self.zone.len()).ok_or(Defect::Owner)?;
        // The old one goes first: a key that stays would keep what was published first.
        let names = nodes.map(|nodes| Names::new(owner, nodes)).transpose()?;
        let was_there = self.services.remove(owner).is_some();
        let is_there = names.map(|names| self.services.insert(names, ())).is_some();
        let count = self.namespaces.get(namespace).copied().unwrap_or_default();
        match (is_there, was_there) {
            (true, false) => drop(self.namespaces.insert(namespace.into(), count + 1)),
            (false, true) if count > 1 => drop(self.namespaces.insert(namespace.into(), count - 1)),
            (false, true) => drop(self.namespaces.remove(namespace)),
            _ => {}
        }
        Ok(())
    }

    /// Tell where in the zone a name stands, existing or not; None where it is outside: label by label and not as a string
    /// (CVE-2026-33489).
    #[inline]
    fn place<'a>(&self, name: &'a [u8]) -> Option<Place<'a>> {
        let end = name.len().checked_sub(self.zone.len())?;
        // Where the last three labels before the zone begin, the nearest to it last.
        let (mut service, mut namespace, mut svc, mut at) = (None, None, None, 0);
        while at < end {
            (service, namespace, svc) = (namespace, svc, Some(at));
            at += 1 + usize::from(*name.get(at)?);
        }
        if at != end || name.get(end..) != Some(&self.zone) {
            return None;
        }
        if let (Some(service), Some(_), Some(svc)) = (service, namespace, svc)
            && name.get(svc..end) == Some(SVC)
        {
            let (labels, owner) = name.split_at_checked(service)?;
            return Some(Place::Service(owner, labels));
        }
        name.get(..end).map(Place::Other)
    }

    /// Let what `find` will need for a name, lower case, be fetched from memory.
    pub fn prefetch(&self, name: &[u8]) {
        if let Some(Place::Service(owner, _)) = self.place(name)
            && let Some((names, ())) = self.services.get_key_value(&Likely(owner))
        {
            names.prefetch();
        }
    }

    /// Look up a name, lower case; None where it is not in the zone.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<Found<'_>> {
        let node = match self.place(name)? {
            Place::Service(owner, labels) => {
                self.services.get_key_value(owner).and_then(|(names, ())| names.get(labels))
            }
            Place::Other(labels) => self.apex.get(labels).or_else(|| self.namespaces.get(labels).map(|_| Node::EMPTY)),
        };
        Some(node.map_or(Found::Nothing, Found::Node))
    }
}
