/** The tracker's face: what exists and whether it can be reached. */
export { settleAfterRestore } from './after-restore.ts';
export { fleetTenant } from './changes.ts';
export {
  type FleetDevice,
  type FleetNode,
  type FleetSite,
  readFleet,
  readFleetSites,
} from './fleet.ts';
export {
  changePresence,
  type Heartbeat,
  type HeartbeatResult,
  lostAfterSeconds,
  recordHeartbeats,
} from './heartbeats.ts';
export { type JoiningNode, joinNode, type RegisteringNode, registerNode } from './join.ts';
export { removeNode, setScheduling } from './operate.ts';
export { lookForLostNodes, type PresenceOptions, startPresenceLoop } from './presence-loop.ts';
export { PresenceWatch } from './presence-watch.ts';
export {
  type Device,
  type DeviceFilter,
  getNode,
  listDevices,
  listNodes,
  type Node,
  type NodeFilter,
  type Sample,
} from './reads.ts';
export { type NodeSample, type Rollup, readRollups, rollupKeptHours, type Sums, settleSamples } from './samples.ts';
export {
  createSite,
  ensureSite,
  getSite,
  listSites,
  type Site,
  type SiteBackend,
  type SiteSettings,
  updateSite,
} from './sites.ts';
export {
  readTelemetry,
  type Telemetry,
  type TelemetrySeries,
  type TelemetrySubject,
  telemetrySubjects,
} from './telemetry.ts';
export { type FleetTotals, readFleetTotals } from './totals.ts';
