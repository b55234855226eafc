//! Where clients ask a replica: streams of requests, which it takes one at a time.

use squall::{Env, Failed, Reply, Result, environment::Listener, environment::Stream, plan::NodeId};
use squall_checkers::{
    operation::{Name, Operation},
    value::Value,
};
use tokio::sync::{mpsc, oneshot};

/// A request, and where its answer goes. Its client may have gone.
pub(crate) type Asked = (Operation, oneshot::Sender<Result<Reply, String>>);

/// The requests that come to this port, until the process ends.
pub(crate) fn open(env: &Env, port: u16) -> Result<mpsc::UnboundedReceiver<Asked>> {
    let (ask, asked) = mpsc::unbounded_channel();
    env.spawn(accept(env.clone(), env.listen(port)?, ask));
    Ok(asked)
}

/// Asks a replica, over the stream that `session` keeps for the next time. Nothing is asked twice, for it may count twice.
pub(crate) async fn ask(
    session: &mut Option<Stream>,
    env: &Env,
    replica: NodeId,
    port: u16,
    operation: &Operation,
) -> Result<Reply> {
    let mut stream = match session.take() {
        Some(stream) => stream,
        None => env.connect(replica, port).await?,
    };
    // Not by `Operation`'s own `Serialize`, which leaves out what is nil: compact formats cannot tell.
    stream.write_frame(&postcard::to_stdvec(&(&operation.f, &operation.key, &operation.args))?).await?;
    let answer = stream.read_frame().await?.ok_or(Failed::Unknown("the replica hung up".into()))?;
    *session = Some(stream);
    postcard::from_bytes::<Result<Reply, String>>(&answer)?.map_err(Failed::No)
}

async fn accept(env: Env, listener: Listener, ask: mpsc::UnboundedSender<Asked>) {
    while let Ok((stream, _)) = listener.accept().await {
        let attending = attend(stream, ask.clone());
        env.spawn(async { drop(attending.await) }); // A connection that fails is closed.
    }
}

async fn attend(mut stream: Stream, ask: mpsc::UnboundedSender<Asked>) -> Result<()> {
    while let Some(frame) = stream.read_frame().await? {
        let (f, key, args) = postcard::from_bytes::<(Name, Value, Value)>(&frame)?;
        let (answer, answered) = oneshot::channel();
        let gone = || Failed::Unknown("the replica ends".into());
        ask.send((Operation { f, key, args }, answer)).map_err(|_| gone())?;
        let reply = answered.await.map_err(|_| gone())?;
        stream.write_frame(&postcard::to_stdvec(&reply)?).await?;
    }
    Ok(())
}
