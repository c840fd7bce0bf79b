/** Flags between `compose` and its command. */
export const composeFlags = `
      --all-resources  Include all resources, even those not used by services
      --ansi string  Control when to print ANSI control characters ("never"|"always"|"auto") (default "auto")
      --env-file stringArray  Specify an alternate environment file
  -f, --file stringArray  Compose configuration files
      --profile stringArray  Specify a profile to enable
      --progress string  Set type of progress output (auto, tty, plain, json, quiet)
      --project-directory string  Specify an alternate working directory (default: the path of the, first specified, Compose file)
  -p, --project-name string  Project name
`;
