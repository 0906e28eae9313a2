//! XML-RPC and the base64 WebSocket, for the first clients.

pub(super) mod base64; // base64 in every usual form.
pub(super) mod gray; // GrayJpeg: the request of both protocols.
pub(super) mod xmlrpc; // XML-RPC: /RPC2, /.
