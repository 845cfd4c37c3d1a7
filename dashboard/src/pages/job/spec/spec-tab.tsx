/** The spec of the job as YAML: as a person would write it, or resolved with every default. */

import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { JobDetail } from '../../../api/contract.ts';
import { Choice } from '../../../ui/choice.tsx';
import { writeClipboard } from '../../../ui/copy-id.tsx';
import { Panel } from '../../../ui/panel.tsx';
import { inReadingOrder, specOfJob } from '../../submit/spec/clone.ts';
import { writeSpec } from '../../submit/spec/draft.ts';
import { yamlQuery } from '../../submit/spec/yaml.ts';
import job_ from '../job.module.css';
import classes from './spec.module.css';

export function Tab({ job }: { readonly job: JobDetail }) {
  const query = useQuery(yamlQuery);
  const [form, setForm] = useState<'written' | 'resolved'>('written');
  const [said, setSaid] = useState('');
  return (
    <Panel
      title="Spec"
      query={query}
      actions={
        <Choice
          label="Form of the spec"
          value={form}
          onChange={setForm}
          options={[
            { value: 'written', label: 'To submit' },
            { value: 'resolved', label: 'Resolved' },
          ]}
        />
      }
    >
      {(yaml) => {
        const text = writeSpec(yaml, form === 'written' ? specOfJob(job.spec) : inReadingOrder(job.spec));
        const copy = async () => {
          setSaid((await writeClipboard(text)) ? 'Copied' : 'Copying was refused');
          setTimeout(() => setSaid(''), 1_500);
        };
        return (
          <>
            <p className={classes.about}>
              {form === 'written'
                ? 'What equals a default is left out. Submitting it gives the same job.'
                : 'As it is stored and scheduled: with every default, in bytes, seconds and thousandths.'}
            </p>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reached by keyboard */}
            <section className={classes.text} tabIndex={0} aria-label="Spec as YAML">
              <pre>{text}</pre>
            </section>
            <div className={classes.actions}>
              <Button size="xs" variant="default" onClick={copy}>
                Copy
              </Button>
              <Button
                className={job_.linkButton}
                size="xs"
                variant="default"
                renderRoot={(props) => <Link {...props} to="/submit" search={{ from: job.id }} />}
              >
                Clone and edit
              </Button>
              <span role="status">{said}</span>
            </div>
          </>
        );
      }}
    </Panel>
  );
}
