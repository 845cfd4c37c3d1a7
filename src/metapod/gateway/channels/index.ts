export { addressForServers } from './address.ts';
export { ChannelHub } from './hub.ts';
export { pipeSockets } from './pipe.ts';
export {
  type ChannelFate,
  type ChannelKind,
  type ChannelRow,
  channelKinds,
  claimSeconds,
  deleteChannel,
  insertChannel,
  mostOfTenant,
  renewChannels,
  sessionProtocol,
  sweepChannels,
} from './rows.ts';
export { serveAgentChannels, serveRelayedChannels } from './upgrades.ts';
