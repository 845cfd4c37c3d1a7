/**
 * The gateway in Prometheus' words: who is connected, what comes and goes, and how long nodes wait for answers.
 *
 * No label names a node, job or tenant, so series do not grow with the fleet.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What is acknowledged to nodes. */
export type AckedStream = 'heartbeat' | 'reports' | 'logs' | 'metrics';

export interface GatewayMeters {
  readonly framesReceived: Counter<'type'>;
  readonly receivedBytes: Counter;
  readonly framesSent: Counter<'type'>;
  readonly logBytes: Counter;
  readonly logLines: Counter;
  readonly reports: Counter;
  readonly metricValues: Counter;
  /** From a frame's arrival to its acknowledgement, which comes after the commit. */
  readonly ackSeconds: Histogram<'stream'>;
  /** From the sending of a command to its acknowledgement, which comes when the node has it on disk. */
  readonly commandSeconds: Histogram<'kind'>;
  readonly closed: Counter<'why'>;
}

/**
 * Registers the gateway's metrics.
 * @param sessions how many nodes' sockets are here, asked at each scrape
 */
export function createGatewayMeters(registry: Registry, sessions: () => number): GatewayMeters {
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const labelled = <L extends string>(name: string, help: string, label: L) =>
    new Counter({ name, help, labelNames: [label], registers });
  new Gauge({
    name: 'solyx_gateway_sessions',
    help: 'Nodes whose socket this gateway holds.',
    registers,
    collect() {
      this.set(sessions());
    },
  });
  return {
    framesReceived: labelled('solyx_gateway_frames_received_total', 'Frames that nodes sent, by type.', 'type'),
    receivedBytes: counter('solyx_gateway_received_bytes_total', 'Bytes of frames that nodes sent.'),
    framesSent: labelled('solyx_gateway_frames_sent_total', 'Frames that were sent to nodes, by type.', 'type'),
    logBytes: counter('solyx_gateway_log_bytes_total', 'Bytes of log lines that nodes sent, repeated ones included.'),
    logLines: counter('solyx_gateway_log_lines_total', 'Log lines that nodes sent, repeated ones included.'),
    reports: counter('solyx_gateway_reports_total', 'Reports of ranks that were new.'),
    metricValues: counter('solyx_gateway_metric_values_total', 'Values of training metrics that nodes sent.'),
    ackSeconds: new Histogram({
      name: 'solyx_gateway_ack_seconds',
      help: 'Time from the arrival of a frame to its acknowledgement, by stream.',
      labelNames: ['stream'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    commandSeconds: new Histogram({
      name: 'solyx_gateway_command_ack_seconds',
      help: 'Time from the sending of a command to its acknowledgement by the node, by kind.',
      labelNames: ['kind'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    closed: labelled('solyx_gateway_sessions_closed_total', 'Sockets that this gateway closed, by reason.', 'why'),
  };
}
