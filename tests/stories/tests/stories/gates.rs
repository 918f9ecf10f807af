//! What stories do to requests on their way: kill or freeze the process that sends one, or answer in its place.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use harness::Photolala;
use http::{Request, Response};
use local_aws::{Gate, RequestInfo, Service, Verdict};
use local_lambda::Lambda;
use tokio::sync::Notify;

/// Which request is meant.
pub type Point = Box<dyn Fn(&RequestInfo, &Bytes) -> bool + Send + Sync>;

/// When the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dies {
    /// Before its request has any effect.
    Before,
    /// After it, without having seen the answer.
    After,
}

/// Requests of a function to S3, S3 Batch Operations or EventBridge, counted from 1: the n-th.
pub fn nth(function: &str, n: u64) -> Point {
    let (function, seen) = (function.to_owned(), AtomicU64::new(0));
    Box::new(move |info, _| {
        let is_meant = matches!(info.service, Service::S3 | Service::S3Control | Service::Events)
            && info.calling_function() == Some(function.as_str());
        is_meant && seen.fetch_add(1, Ordering::Relaxed) + 1 == n
    })
}

/// A function's requests of that operation whose key starts so and whose body holds this text.
pub fn request(function: &str, operation: &'static str, key: &'static str, text: &'static str) -> Point {
    let function = function.to_owned();
    Box::new(move |info, body| {
        info.calling_function() == Some(function.as_str())
            && info.operation == operation
            && info.key.as_deref().unwrap_or_default().starts_with(key)
            && (text.is_empty() || body.windows(text.len()).any(|part| part == text.as_bytes()))
    })
}

/// Kills the process that sends the request meant. From then on none of its requests has an effect.
#[derive(Clone)]
pub struct Kill(Arc<Killer>);

struct Killer {
    lambda: Lambda,
    point: Point,
    dies: Dies,
    victim: Mutex<Option<(String, u64)>>,
}

impl Kill {
    /// Lets every further request pass a gate that kills once.
    pub fn set(photolala: &Photolala, point: Point, dies: Dies) -> Self {
        let lambda = photolala.local().lambda().clone();
        let kill = Self(Arc::new(Killer { lambda, point, dies, victim: Mutex::default() }));
        photolala.local().set_gate(kill.clone());
        kill
    }

    /// Whether the request came.
    pub fn struck(&self) -> bool {
        self.0.victim.lock().unwrap().is_some()
    }
}

#[async_trait]
impl Gate for Kill {
    async fn before(&self, info: &RequestInfo, request: &Request<Bytes>) -> Verdict {
        let Some(caller) = info.caller.clone() else { return Verdict::Proceed };
        let mut victim = self.0.victim.lock().unwrap();
        if let Some((dead, _)) = &*victim {
            return if *dead == caller { Verdict::Drop } else { Verdict::Proceed };
        }
        if !(self.0.point)(info, request.body()) {
            return Verdict::Proceed;
        }
        *victim = Some((caller.clone(), info.number));
        if self.0.dies == Dies::After {
            return Verdict::Proceed;
        }
        self.0.lambda.kill_process(&caller);
        Verdict::Drop
    }

    async fn after(&self, info: &RequestInfo, _: &Response<Bytes>) -> Verdict {
        let victim = self.0.victim.lock().unwrap().clone();
        match victim {
            Some((caller, number)) if number == info.number => {
                self.0.lambda.kill_process(&caller);
                Verdict::Drop
            }
            _ => Verdict::Proceed,
        }
    }
}

/// Freezes the process that sends the request meant, and holds the request back, until it is let go.
#[derive(Clone)]
pub struct Freeze(Arc<Freezer>);

struct Freezer {
    lambda: Lambda,
    point: Point,
    done: AtomicBool,
    frozen: Notify,
    go: Notify,
}

impl Freeze {
    /// Lets every further request pass a gate that freezes once.
    pub fn set(photolala: &Photolala, point: Point) -> Self {
        let lambda = photolala.local().lambda().clone();
        let freezer = Freezer { lambda, point, done: AtomicBool::new(false), frozen: Notify::new(), go: Notify::new() };
        let freeze = Self(Arc::new(freezer));
        photolala.local().set_gate(freeze.clone());
        freeze
    }

    /// Waits until a process is frozen.
    pub async fn frozen(&self) {
        self.0.frozen.notified().await;
    }

    /// Lets process and request go on.
    pub fn resume(&self) {
        self.0.go.notify_one();
    }
}

#[async_trait]
impl Gate for Freeze {
    async fn before(&self, info: &RequestInfo, request: &Request<Bytes>) -> Verdict {
        let Some(caller) = &info.caller else { return Verdict::Proceed };
        if !(self.0.point)(info, request.body()) || self.0.done.swap(true, Ordering::Relaxed) {
            return Verdict::Proceed;
        }
        self.0.lambda.freeze(caller);
        self.0.frozen.notify_one();
        self.0.go.notified().await;
        self.0.lambda.resume(caller);
        Verdict::Proceed
    }
}

/// Answers requests of its own accord for as long as `answer` gives something; the request then has no effect.
pub fn answering<F>(photolala: &Photolala, answer: F)
where
    F: Fn(&RequestInfo, &Bytes) -> Option<Response<Bytes>> + Send + Sync + 'static,
{
    photolala.local().set_gate(Answering(answer));
}

struct Answering<F>(F);

#[async_trait]
impl<F> Gate for Answering<F>
where
    F: Fn(&RequestInfo, &Bytes) -> Option<Response<Bytes>> + Send + Sync,
{
    async fn before(&self, info: &RequestInfo, request: &Request<Bytes>) -> Verdict {
        (self.0)(info, request.body()).map_or(Verdict::Proceed, Verdict::Answer)
    }
}

/// The first so many of the requests meant.
pub fn first(n: u64, point: Point) -> Point {
    let seen = AtomicU64::new(0);
    Box::new(move |info, body| point(info, body) && seen.fetch_add(1, Ordering::Relaxed) < n)
}

/// Lets the requests meant wait before they have their effect.
pub struct Slow {
    /// Which.
    pub point: Point,
    /// How long.
    pub wait: std::time::Duration,
}

#[async_trait]
impl Gate for Slow {
    async fn before(&self, info: &RequestInfo, request: &Request<Bytes>) -> Verdict {
        if (self.point)(info, request.body()) {
            tokio::time::sleep(self.wait).await;
        }
        Verdict::Proceed
    }
}
