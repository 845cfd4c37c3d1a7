/** Shown where nobody is signed in and there is no page to sign in with. */
import classes from './page.module.css';

export function SignedOut() {
  return (
    <main className={classes.page}>
      <h1>You are not signed in</h1>
      <p>
        The command <code>solyx jobs</code> works on the machine where the server runs.
      </p>
    </main>
  );
}
