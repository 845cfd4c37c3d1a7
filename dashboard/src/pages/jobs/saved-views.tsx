/** Saved filters: open one, save these, delete one. */
import { Button, CloseButton, Menu } from '@mantine/core';
import '../../ui/overlays.css';
import { useDisclosure } from '@mantine/hooks';
import { useNavigate } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { usePreference } from '../../app/preference.ts';
import { type Filters, filterSearch, isFiltered } from './filters.ts';
import classes from './jobs.module.css';
import { areViews, putView, type SavedView, withoutView } from './views.ts';

const SaveView = lazy(() => import('./save-view.tsx'));
const noViews: readonly SavedView[] = [];

export function SavedViews({ filters }: { readonly filters: Filters }) {
  const [views, setViews] = usePreference<readonly SavedView[]>('jobs.views', areViews, noViews);
  const [asking, { open, close }] = useDisclosure(false);
  const navigate = useNavigate();
  return (
    <>
      <Menu position="bottom-end" width={240}>
        <Menu.Target>
          <Button variant="default" size="xs">
            Views
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {views.map((view) => (
            <div key={view.name} className={classes.view}>
              <Menu.Item onClick={() => void navigate({ to: '/jobs', search: view.search })}>{view.name}</Menu.Item>
              <CloseButton
                size="sm"
                aria-label={`Delete the view ${view.name}`}
                onClick={() => setViews(withoutView(views, view.name))}
              />
            </div>
          ))}
          {views.length > 0 && <Menu.Divider />}
          <Menu.Item onClick={open} disabled={!isFiltered(filters)}>
            Save these filters
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Suspense>
        {asking && (
          <SaveView
            onClose={close}
            onSave={(name) => setViews(putView(views, { name, search: filterSearch(filters) }))}
          />
        )}
      </Suspense>
    </>
  );
}
