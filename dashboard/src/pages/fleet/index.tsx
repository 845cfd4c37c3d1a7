/** Fleet: sites on map and table, their nodes, each node with its devices. `/fleet`, `/fleet/site_…`, `/fleet/node_…`. */
import { Link, useParams } from '@tanstack/react-router';
import { CopyId } from '../../ui/copy-id.tsx';
import { Panel } from '../../ui/panel.tsx';
import classes from './fleet.module.css';
import { totalsOf } from './fleet.ts';
import { NodePage } from './node-page.tsx';
import { NodesPanel } from './nodes-panel.tsx';
import { SitesPanel } from './sites-panel.tsx';
import { TotalsStrip } from './totals.tsx';
import { useFleet } from './use-fleet.ts';

export function Page() {
  const { _splat: place = '' } = useParams({ strict: false });
  const fleet = useFleet();
  if (place.startsWith('node_')) {
    const known = fleet.query.data ?? { sites: [], nodes: [], devices: {}, truncated: false };
    return <NodePage fleet={known} id={place} samples={fleet.samples} />;
  }
  return <SitePage {...fleet} siteId={place === '' ? undefined : place} />;
}

interface SitePageProps extends ReturnType<typeof useFleet> {
  readonly siteId: string | undefined;
}

function SitePage({ query, samples, siteId }: SitePageProps) {
  const site = query.data?.sites.find(({ id }) => id === siteId);
  const isMissing = siteId !== undefined && query.data !== undefined && site === undefined;
  return (
    <div className={classes.page}>
      {siteId !== undefined && (
        <nav className={classes.crumbs} aria-label="Breadcrumbs">
          <Link to="/fleet">Fleet</Link>
        </nav>
      )}
      <div className={classes.head}>
        <h1>{siteId === undefined ? 'Fleet' : (site?.name ?? siteId)}</h1>
        {site !== undefined && <CopyId id={site.id} />}
      </div>
      {isMissing ? (
        <p className={classes.note}>
          There is no site <code>{siteId}</code>. <Link to="/fleet">All sites</Link>
        </p>
      ) : (
        <>
          <Panel bare query={query}>
            {({ nodes, devices }) => (
              <TotalsStrip
                totals={totalsOf(
                  siteId === undefined ? nodes : nodes.filter((node) => node.site.id === siteId),
                  devices,
                )}
              />
            )}
          </Panel>
          {siteId === undefined && <SitesPanel query={query} />}
          <NodesPanel query={query} samples={samples} siteId={siteId} />
        </>
      )}
    </div>
  );
}
