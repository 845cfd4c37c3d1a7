/** Face of discovery: what a node offers, and the outside world that it is read from. */
export type {
  DeviceHealth,
  DeviceKind,
  DeviceVendor,
  DiscoveredDevice,
  DiscoveryWarning,
  HealthReason,
  Inventory,
  Peer,
  PeerLink,
  ThrottleReason,
} from './device.ts';
export { type DiscoveryOptions, discoverNode } from './discover.ts';
export { DEFAULT_IDLE_SHARE, type ModelPower, modelOf, modelPowerOf } from './models.ts';
export {
  type Followed,
  type FollowHandlers,
  type HostFacts,
  type Outside,
  systemOutside,
  type ToolResult,
} from './outside.ts';
export { type DiscoveredInventory, wireInventoryOf } from './wire.ts';
