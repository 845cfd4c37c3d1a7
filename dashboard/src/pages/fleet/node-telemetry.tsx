/** What a node and its devices measured over the last hour, six hours or day. */

import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { read } from '../../api/queries.ts';
import { request } from '../../api/request.ts';
import { Choice } from '../../ui/choice.tsx';
import { Panel } from '../../ui/panel.tsx';
import { TelemetryCharts } from '../../ui/telemetry-charts.tsx';
import { Time } from '../../ui/time.tsx';

const spans = [
  { value: '1', label: 'Last hour' },
  { value: '6', label: 'Six hours' },
  { value: '24', label: 'Day' },
] as const;
type Hours = (typeof spans)[number]['value'];

export function NodeTelemetry({ id }: { readonly id: string }) {
  const [hours, setHours] = useState<Hours>('1');
  const query = useQuery({
    queryKey: [...read('GET /v1/nodes/:id/telemetry', { params: { id } }).queryKey, hours],
    queryFn: ({ signal }) => {
      const from = new Date(Date.now() - Number(hours) * 3_600_000).toISOString();
      return request('GET /v1/nodes/:id/telemetry', { params: { id }, query: { from } }, { signal });
    },
    refetchInterval: 10_000,
  });
  const isCut = query.data !== undefined && Date.parse(query.data.keptFrom) > Date.parse(query.data.from);
  return (
    <Panel
      title="Measured"
      query={query}
      isEmpty={({ subjects }) => subjects.every(({ series }) => series.length === 0)}
      empty={{
        why: 'Nothing was measured in this time. Nodes send a sample every few seconds while they are in contact.',
      }}
      partial={
        isCut && query.data ? (
          <>
            Samples older than <Time at={query.data.keptFrom} /> have been deleted.
          </>
        ) : null
      }
      actions={<Choice label="Span" value={hours} onChange={setHours} options={spans} />}
    >
      {(telemetry) => <TelemetryCharts telemetry={telemetry} axis="time" />}
    </Panel>
  );
}
