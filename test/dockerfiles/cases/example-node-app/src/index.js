console.log("DEV");
