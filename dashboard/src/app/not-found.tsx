/** An address that leads nowhere. */
import { Link } from '@tanstack/react-router';
import classes from './page.module.css';

export function NotFound() {
  return (
    <div className={classes.page}>
      <h1>Nothing is here</h1>
      <p>The address may be mistyped, or what it showed has gone.</p>
      <p>
        <Link to="/">Go to the overview</Link>
      </p>
    </div>
  );
}
