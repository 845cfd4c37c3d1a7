/** Energy of a job; a number whose source is not said would be believed too much. */
import type { JobDetail } from '../api/contract.ts';
import { Quantity } from './quantity.tsx';

const sources: Readonly<Record<string, string>> = {
  measured: 'measured at the devices and the node',
  modelled: 'modelled, at least in part, from use and rated power',
};

export function Energy({ usage }: { readonly usage: JobDetail['usage'] }) {
  if (usage.energySource === null) return <span title="Nothing ran yet">–</span>;
  const source = [sources[usage.energySource], usage.open && 'so far'].filter(Boolean).join(', ');
  return (
    <>
      <Quantity value={usage.energyKwh * 1000} unit="Wh" scaled source={source} />
      {usage.energySource === 'modelled' && <span title={source}> est.</span>}
    </>
  );
}
