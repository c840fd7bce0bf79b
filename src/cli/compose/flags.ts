/** Flags between `compose` and its command. */
export const composeFlags = `
      --all-resources  Include all resources, even those not used by services
      --ansi string  Control when to print ANSI control characters ("never"|"always"|"auto") (default "auto")
      --compatibility  Run compose in backward compatibility mode
      --env-file stringArray  Specify an alternate environment file
  -f, --file stringArray  Compose configuration files
      --parallel int  How many things are done at once, -1 for all that can be (default -1)
      --profile stringArray  Specify a profile to enable
      --progress string  Set type of progress output (auto, tty, plain, json, quiet)
      --project-directory string  Specify an alternate working directory (default: the path of the, first specified, Compose file)
  -p, --project-name string  Project name
`;

/** Flags that docker compose has for each of its commands. */
export const composeCommandFlags = `
      --dry-run  Execute command in dry run mode
`;
