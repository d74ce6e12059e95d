//! A view of the zone: immutable, looked up by every packet thread, replaced as a whole.
//!
//! Rules:
//! 1. A snapshot never changes. The next one shares with it everything that an update does not touch, so that a publish costs by what
//!    changed and not by the size of the zone.
//! 2. `publish` checks what it is given, because what stands in a snapshot is trusted on the packet threads.
//! 3. A name exists if it has a node, or names a namespace that holds an import (an empty non-terminal, RFC 8020).
//! 4. An old generation is freed by the publisher, never by a packet thread: it keeps each one until no reader has it any more.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwapOption, Guard};
use imbl::shared_ptr::ArcK;

use crate::name;
use crate::names::{Names, Node};
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
    /// By owner name: what replaces the service, or None where it is gone.
    pub services: Vec<(B, Option<Nodes<B>>)>,
}

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
}

impl std::fmt::Display for Defect {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        out.write_str(match self {
            Self::Name => "expected owner names in wire format",
            Self::Owner => "expected services two labels below svc.<zone>",
            Self::Rdata => "expected RDATA of at most 65535 octets",
            Self::Soa => "expected one SOA record",
            Self::Apex => "expected the names of the apex in the zone, above its services",
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
    fn first<B: AsRef<[u8]>>(update: &Update<B>) -> Result<Self, Defect> {
        let zone = update.zone.as_ref();
        if !name::is_well_formed(zone) || zone.len() < 2 {
            return Err(Defect::Name);
        }
        let apex = Names::new(zone, &update.apex)?;
        let (services, namespaces) = (Map::default(), Map::default());
        Self { complete: false, zone: zone.into(), soa: Arc::default(), apex, services, namespaces }.next(update)
    }

    /// Make the next generation.
    fn next<B: AsRef<[u8]>>(&self, update: &Update<B>) -> Result<Self, Defect> {
        let [soa] = update.soa.rdata.as_slice() else {
            return Err(Defect::Soa);
        };
        let mut next = self.clone();
        let mut octets = Vec::new();
        write(&[], &update.soa, soa.as_ref(), &mut octets);
        next.soa = octets.into();
        next.complete = update.complete;
        if update.zone.as_ref() != &*self.zone || !update.apex.iter().all(|(name, _)| self.is_apex(name.as_ref())) {
            return Err(Defect::Apex);
        }
        next.apex = Names::new(&self.zone, &update.apex)?;
        for (owner, nodes) in &update.services {
            next.replace(owner.as_ref(), nodes.as_ref())?;
        }
        Ok(next)
    }

    fn is_apex(&self, name: &[u8]) -> bool {
        name::is_well_formed(name) && matches!(self.place(name), Some(Place::Other(_)))
    }

    fn replace<B: AsRef<[u8]>>(&mut self, owner: &[u8], nodes: Option<&Nodes<B>>) -> Result<(), Defect> {
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

/// One view, as it is published and read.
#[derive(Debug, Default)]
pub struct View {
    current: ArcSwapOption<Snapshot>,
    /// Generations that were replaced while somebody read them. Whoever holds the lock publishes.
    retired: Mutex<Vec<Arc<Snapshot>>>,
}

impl View {
    /// Take over an update: readers see all of it or, before the call, nothing.
    ///
    /// # Errors
    /// Something in it cannot stand in a zone; nothing was taken over.
    pub fn publish<B: AsRef<[u8]>>(&self, update: &Update<B>) -> Result<(), Defect> {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match self.current.load_full() {
            Some(current) => current.next(update)?,
            None => Snapshot::first(update)?,
        };
        retired.extend(self.current.swap(Some(Arc::new(next))));
        // One that only stands here has no reader, and none can come.
        retired.retain(|old| Arc::strong_count(old) > 1);
        Ok(())
    }

    /// The current generation, for as long as the guard is held; None before the first publish.
    pub fn load(&self) -> Guard<Option<Arc<Snapshot>>> {
        self.current.load()
    }
}
