//! XML-RPC and the base64 WebSocket of the first clients.

pub(super) mod gray; // what both ask for: a grayscale JPEG of the same size.
pub(super) mod xmlrpc; // XML-RPC: /RPC2, /.
