/** The tracker's face: what exists and whether it can be reached. */
export { fleetTenant } from './changes.ts';
export { type HeartbeatResult, lostAfterSeconds, recordHeartbeats } from './heartbeats.ts';
export { type JoiningNode, joinNode, type RegisteringNode, registerNode } from './join.ts';
export { lookForLostNodes, type PresenceOptions, startPresenceLoop } from './presence-loop.ts';
export { PresenceWatch } from './presence-watch.ts';
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
