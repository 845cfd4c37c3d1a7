export {
  decodeFrame,
  encodeFrame,
  encodeJson,
  frameTypes,
  headerBytes,
  mostDataBytes,
  mostFrameBytes,
  mostJsonBytes,
  parseJson,
  windowBytes,
} from './frames.ts';
export { ChannelClosed, ChannelMux } from './mux.ts';
export { type ChannelSocket, channelPings, closeSocket, overSocket, watchSilence } from './socket.ts';
export { ChannelStream } from './stream.ts';
