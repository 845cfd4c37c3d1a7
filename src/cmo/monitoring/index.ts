/** What others use of monitoring. */
export { refusalOfUrl } from './notifications/address-guard.ts';
export { type NotifiedEvent, notifiedEvents } from './notifications/body.ts';
export {
  type ChannelRow,
  createChannel,
  type DeliveryRow,
  getChannel,
  listChannels,
  listDeliveries,
  removeChannel,
  replayDelivery,
  testChannel,
  updateChannel,
} from './notifications/channels.ts';
export { Notifier, type NotifierOptions, notificationsTopic } from './notifications/notifier.ts';
export { type NotificationSettings, notificationSettings, webHookNetworks } from './notifications/settings.ts';
