/**
 * Submitting a job: a form and YAML that are two faces of one text, and beside them what would happen if it were sent now.
 *
 * `?from=job_…` begins with the spec of a job, `?template=…` with a template. What was begun stays while the page of the
 * browser lives, so a look at another page costs nothing.
 */
import { useQuery } from '@tanstack/react-query';
import { Link, useSearch } from '@tanstack/react-router';
import { read } from '../../api/queries.ts';
import { type Search, textOf } from '../../app/search.ts';
import { CopyId } from '../../ui/copy-id.tsx';
import { Panel } from '../../ui/panel.tsx';
import { Composer } from './composer.tsx';
import { specOfJob } from './spec/clone.ts';
import { writeSpec } from './spec/draft.ts';
import { templates } from './spec/templates.ts';
import { yamlQuery } from './spec/yaml.ts';
import classes from './submit.module.css';

export function Page() {
  const search = useSearch({ strict: false }) as Search;
  const from = textOf(search, 'from');
  const template = templates.find(({ id }) => id === textOf(search, 'template')) ?? templates[0]!;
  const yaml = useQuery(yamlQuery);
  return (
    <div className={classes.page}>
      <h1>{from === undefined ? 'Submit a job' : 'Clone and edit'}</h1>
      {from === undefined ? (
        <>
          <Templates chosen={template.id} />
          <Panel bare query={yaml} skeleton={10}>
            {(parser) => (
              <Composer
                key={template.id}
                yaml={parser}
                begin={template.yaml}
                folder={template.folder}
                name={template.id}
              />
            )}
          </Panel>
        </>
      ) : (
        <Clone id={from} />
      )}
    </div>
  );
}

function Clone({ id }: { readonly id: string }) {
  const yaml = useQuery(yamlQuery);
  const job = useQuery({ ...read('GET /v1/jobs/:id', { params: { id } }), staleTime: Number.POSITIVE_INFINITY });
  return (
    <Panel bare query={job} skeleton={10}>
      {(original) => (
        <Panel bare query={yaml} skeleton={10}>
          {(parser) => (
            <>
              <p className={classes.lead}>
                From{' '}
                <Link to="/jobs/$id" params={{ id }}>
                  {original.name}
                </Link>{' '}
                <CopyId id={id} />
                {original.arrayId !== null && '. It was one task of an array; this submits the whole array.'}
              </p>
              <Composer key={id} yaml={parser} begin={writeSpec(parser, specOfJob(original.spec))} name={id} />
            </>
          )}
        </Panel>
      )}
    </Panel>
  );
}

function Templates({ chosen }: { readonly chosen: string }) {
  return (
    <nav className={classes.templates} aria-label="Templates">
      {templates.map(({ id, title, about }) => (
        <Link
          key={id}
          to="/submit"
          search={id === templates[0]!.id ? {} : { template: id }}
          className={classes.template}
          activeOptions={{ exact: true, includeSearch: true }}
          data-chosen={id === chosen}
        >
          <strong>{title}</strong>
          <span>{about}</span>
        </Link>
      ))}
    </nav>
  );
}
