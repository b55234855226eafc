//! A process's session, or an admin's request: its stand-in asks, and a task on the client's host answers.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use squall_checkers::operation::Operation;

use crate::{
    environment::{Change, Guest, Machine, Reply, Result},
    simulators::layer::streams::{wait, wake},
};

/// Where a stand-in and its session meet.
#[derive(Default)]
pub(super) struct Mailbox(Mutex<Post>);

#[derive(Default)]
struct Post {
    asked: Option<Operation>,
    answered: Option<Answer>,
    /// The process has retired: the session ends.
    closed: bool,
    stand_in: Option<Waker>,
    session: Option<Waker>,
}

/// What a process on a client's host is for.
#[derive(Clone, Copy)]
pub(super) enum Errand {
    /// A client's operations.
    Session,
    /// A change of members.
    Reconfigure(Change),
}

enum Answer {
    Said(Result<Reply>),
    Panicked(Box<dyn Any + Send>),
}

impl Mailbox {
    fn post(&self) -> MutexGuard<'_, Post> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stand-in asks.
    pub(super) fn ask(&self, operation: Operation) {
        let post = &mut *self.post();
        post.asked = Some(operation);
        wake(&mut post.session);
    }

    /// What the session says: first whether it is open, then what came of each operation. A panic there is one here.
    pub(super) fn answer(&self) -> impl Future<Output = Result<Reply>> {
        poll_fn(|cx| {
            let mut post = self.post();
            match post.answered.take() {
                Some(Answer::Said(said)) => Poll::Ready(said),
                Some(Answer::Panicked(payload)) => {
                    drop(post);
                    resume_unwind(payload)
                }
                None => {
                    wait(&mut post.stand_in, cx);
                    Poll::Pending
                }
            }
        })
    }

    /// The stand-in is gone.
    pub(super) fn close(&self) {
        let post = &mut *self.post();
        post.closed = true;
        wake(&mut post.session);
    }

    fn say(&self, answer: Answer) {
        let post = &mut *self.post();
        post.answered = Some(answer);
        wake(&mut post.stand_in);
    }

    fn next(&self) -> impl Future<Output = Operation> {
        poll_fn(|cx| {
            let mut post = self.post();
            if post.asked.is_none() {
                wait(&mut post.session, cx);
            }
            post.asked.take().map_or(Poll::Pending, Poll::Ready)
        })
    }

    /// What the stand-in's process is for, as a task of the client's host.
    pub(super) async fn attend<G: Guest>(self: Arc<Self>, guest: Arc<G>, machine: Machine, errand: Errand) {
        match errand {
            Errand::Session => self.session(guest, machine).await,
            Errand::Reconfigure(change) => self.reconfigure(guest, machine, change).await,
        }
    }

    /// An admin's request.
    fn reconfigure<G: Guest>(
        self: Arc<Self>,
        guest: Arc<G>,
        machine: Machine,
        change: Change,
    ) -> impl Future<Output = ()> {
        let mailbox = self.clone();
        let work = async move {
            let said = guest.reconfigure(&machine, change).await;
            mailbox.say(Answer::Said(said.map(|()| Reply::Nil)));
        };
        Attending { mailbox: self, work: Some(Box::pin(work)) }
    }

    /// A client's session.
    fn session<G: Guest>(self: Arc<Self>, guest: Arc<G>, machine: Machine) -> impl Future<Output = ()> {
        let mailbox = self.clone();
        let work = async move {
            let mut client = match guest.connect(&machine).await {
                Ok(client) => client,
                Err(failed) => return mailbox.say(Answer::Said(Err(failed))),
            };
            mailbox.say(Answer::Said(Ok(Reply::Nil)));
            loop {
                let operation = mailbox.next().await;
                let said = guest.invoke(&mut client, &machine, &operation).await;
                mailbox.say(Answer::Said(said));
            }
        };
        Attending { mailbox: self, work: Some(Box::pin(work)) }
    }
}

/// A session's task: it ends, and drops what is the guest's, on its own host, where destructors find the library.
struct Attending<F> {
    mailbox: Arc<Mailbox>,
    work: Option<Pin<Box<F>>>,
}

impl<F: Future<Output = ()>> Future for Attending<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let closed = {
            let mut post = self.mailbox.post();
            wait(&mut post.session, cx);
            post.closed
        };
        let Some(work) = self.work.as_mut().filter(|_| !closed) else {
            self.work = None;
            return Poll::Ready(());
        };
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(polled) => polled,
            Err(payload) => {
                self.mailbox.say(Answer::Panicked(payload));
                Poll::Ready(())
            }
        }
    }
}
