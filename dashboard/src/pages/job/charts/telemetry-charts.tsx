/** What the devices and nodes of a job measured while it had them. */
import { useQuery } from '@tanstack/react-query';
import type { JobDetail } from '../../../api/contract.ts';
import { read } from '../../../api/queries.ts';
import { Panel } from '../../../ui/panel.tsx';
import { TelemetryCharts } from '../../../ui/telemetry-charts.tsx';
import { Time } from '../../../ui/time.tsx';

type Attempt = JobDetail['attempts'][number];

interface DeviceChartsProps {
  readonly job: JobDetail;
  readonly attempt: Attempt;
  readonly axis: 'time' | 'elapsed';
}

export function DeviceCharts({ job, attempt, axis }: DeviceChartsProps) {
  const query = useQuery({
    ...read('GET /v1/jobs/:id/telemetry', { params: { id: job.id }, query: { attempt: attempt.number } }),
    refetchInterval: attempt.endedAt === null ? 5_000 : false,
  });
  const { data } = query;
  const isCut = data !== undefined && Date.parse(data.keptFrom) > Date.parse(attempt.placedAt);
  return (
    <Panel
      title="Devices and nodes"
      query={query}
      isEmpty={({ subjects }) => subjects.every(({ series }) => series.length === 0)}
      empty={{
        why: isCut
          ? 'What was measured meanwhile has been deleted for its age.'
          : 'Nothing was measured yet. Nodes send a sample every few seconds while they work.',
      }}
      partial={
        isCut ? (
          <>
            Samples older than <Time at={data.keptFrom} /> have been deleted.
          </>
        ) : null
      }
    >
      {(telemetry) => <TelemetryCharts telemetry={telemetry} axis={axis} />}
    </Panel>
  );
}
